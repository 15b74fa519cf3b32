import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Assistant, readAssistant } from '../../../shared/content/assistants/assistant-file.ts';
import { createSelector, type SelectionRequest } from './select-assistant.ts';

const files = {
  contracts: `
description: Reads contracts
examples: [What is the notice period in this contract?, Who may terminate the agreement early?]
file_types: [pdf, docx]
`,
  payroll: `
description: Wages and taxes
examples: [Why is my salary lower this month?, How many days of holiday do I have left?]
file_types: [pdf]
patterns: ['\\bpayslip\\b']
access: { groups: [staff] }
`,
  tables: `
description: Works with tables
examples: [Sum the second column, Which row has the largest value?]
file_types: [csv]
patterns: ['\\b(?:sum|average) of column\\b', '\\bpayslip table\\b']
`,
  trains: `
description: Timetables and tickets
examples: [When does the night train to Ostheim leave?, Book a ticket for the first train tomorrow]
`,
  general: '{ description: Everything else, default: true }',
};

const assistants = Object.entries(files).map(([name, rest]) => assistant(name, rest));
const selector = createSelector(assistants);

function assistant(name: string, rest: string): Assistant {
  const yaml = rest.startsWith('{')
    ? `{ name: ${name}, instructions: Help., ${rest.slice(1)}`
    : `name: ${name}\ninstructions: Help.\n${rest}`;
  const read = readAssistant(yaml);
  if ('name' in read) return read;
  throw new Error(read.join('\n'));
}

const staff = { user: 'ada', groups: ['staff'] };
const guest = { user: 'bob', groups: [] };
const pdf = { name: 'a.pdf', mediaType: 'application/pdf' };
const docx = {
  name: 'a.docx',
  mediaType: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
};
const csv = { name: 'a.csv', mediaType: 'text/csv' };

function select(request: Partial<SelectionRequest>) {
  const selection = selector.select({
    question: 'Hello there',
    documents: [],
    user: staff,
    ...request,
  });
  return selection && `${selection.assistant.name}: ${selection.reason}`;
}

const holiday = 'How many days of holiday are left?';
const night = 'When does a night train leave for Ostheim?';

test.each<[string, Partial<SelectionRequest>, string]>([
  [
    'a name in the request wins over everything',
    { asked: 'trains', documents: [csv], question: holiday },
    'trains: explicit',
  ],
  [
    'a conversation keeps its assistant',
    { conversation: 'trains', documents: [csv] },
    'trains: conversation',
  ],
  ['a name wins over the conversation', { asked: 'tables', conversation: 'trains' }, 'tables: explicit'],
  [
    'a conversation whose assistant no longer exists gets another one',
    { conversation: 'gone', question: night },
    'trains: similarity',
  ],
  ['the only assistant for a file type', { documents: [docx], question: holiday }, 'contracts: file_type'],
  [
    'one matching file of several is enough',
    { documents: [csv, { ...csv, name: 'b' }] },
    'tables: file_type',
  ],
  [
    'of two for a file type, the one with a matching pattern',
    { documents: [pdf], question: 'My payslip?' },
    'payroll: pattern',
  ],
  [
    'of two for a file type, the more similar one',
    { documents: [pdf], question: holiday },
    'payroll: similarity',
  ],
  [
    'of two for a file type, neither if none is similar',
    { documents: [pdf], question: night },
    'general: default',
  ],
  ['a pattern matches in any case', { question: 'The SUM OF COLUMN two' }, 'tables: pattern'],
  ['similarity to the examples', { question: night }, 'trains: similarity'],
  ['no assistant fits', { question: 'Write a poem about quokkas' }, 'general: default'],
  ['an empty question', { question: '' }, 'general: default'],
])('%s', (_, request, expected) => {
  expect(select(request)).toBe(expected);
});

test.each<[string, Partial<SelectionRequest>, string]>([
  ['by files', { documents: [pdf], question: holiday }, 'contracts: file_type'],
  ['by pattern', { question: 'My payslip?' }, 'general: default'],
  ['by similarity', { question: holiday }, 'general: default'],
  ['by conversation', { conversation: 'payroll' }, 'general: default'],
])('users never get an assistant that they may not use: %s', (_, request, expected) => {
  expect(select({ ...request, user: guest })).toBe(expected);
});

test.each(['payroll', 'nobody', ''])('the name %j, requested by a guest, is not found', (asked) => {
  expect(() => select({ asked, user: guest })).toThrow(
    expect.objectContaining({ code: 'assistant_not_found', param: 'x-turnout-assistant' }),
  );
});

test('without a default assistant, a request that fits none gets none', () => {
  const some = createSelector(assistants.filter((one) => !one.default));
  const request = { question: 'Write a poem', documents: [], user: staff };
  expect(some.select(request)).toBeUndefined();
  expect(createSelector([]).select(request)).toBeUndefined();
});

test('two equally similar assistants leave the request to the default', () => {
  const twins = createSelector([
    assistant('a', '{ description: Night trains to Ostheim }'),
    assistant('b', '{ description: Night trains to Ostheim }'),
    assistant('c', '{ description: Anything, default: true }'),
  ]);
  const request = { question: 'Night trains to Ostheim', documents: [], user: staff };
  expect(twins.select(request)).toMatchObject({ assistant: { name: 'c' }, reason: 'default' });
});

test('the scores of the best few assistants are returned, best first', () => {
  const { scores = [] } =
    selector.select({
      question: night,
      documents: [],
      user: staff,
    }) ?? {};
  const values = scores.map(({ score }) => score);
  expect(scores[0]?.name).toBe('trains');
  expect(values).toHaveLength(3);
  expect(values).toEqual([...values].sort((a, b) => b - a));
});

test('every selection is an assistant that the user may use, and always the same one', () => {
  const names = fc.constantFrom(...Object.keys(files), 'gone', undefined);
  const documents = fc.array(fc.constantFrom(pdf, docx, csv), { maxLength: 3 });
  const words = fc.constantFrom(
    'payslip',
    'night',
    'train',
    'holiday',
    'contract',
    'column',
    'of',
    'sum',
    'zebra',
  );
  const question = fc.array(words, { maxLength: 12 }).map((list) => list.join(' '));
  fc.assert(
    fc.property(names, documents, question, (conversation, attached, text) => {
      const request = { conversation, question: text, documents: attached, user: guest };
      const selection = selector.select(request);
      expect(selection?.assistant.access).toBeUndefined();
      expect(createSelector(assistants).select(request)).toEqual(selection);
    }),
  );
});

test('patterns with nested quantifiers match in linear time', () => {
  const nested = createSelector([
    assistant('a', "description: Anything\npatterns: ['(x+x+)+y', '^(a|a)*$']"),
  ]);
  const question = 'x'.repeat(20_000);
  const startedAt = performance.now();
  nested.select({ question, documents: [], user: staff });
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});
