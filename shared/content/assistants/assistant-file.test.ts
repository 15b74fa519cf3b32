import { expect, test } from '@jest/globals';
import { readAssistant } from './assistant-file.ts';

const whole = `
name: contracts
description: Reads contracts
examples: [What is the notice period?, Who may terminate?]
model: turnout-sim
instructions: |
  Quote the clause.
sources: [clauses]
file_types: [PDF, .docx, text/csv]
patterns: ['\\bnotice period\\b']
access: { groups: [legal] }
`;

test('a file describes one assistant, whose version is a hash of the content', () => {
  const read = readAssistant(whole);
  expect(read).toMatchObject({
    name: 'contracts',
    instructions: 'Quote the clause.',
    file_types: ['pdf', '.docx', 'text/csv'],
    default: false,
    access: { users: [], groups: ['legal'] },
    version: expect.stringMatching(/^[0-9a-f]{12}$/),
  });
  expect(readAssistant(whole)).toEqual(read);
  expect(readAssistant(`${whole}# a comment`)).not.toEqual(read);
});

test('optional fields have defaults', () => {
  expect(readAssistant('{ name: a, description: b, instructions: c }')).toEqual({
    name: 'a',
    description: 'b',
    instructions: 'c',
    version: expect.any(String),
    examples: [],
    sources: [],
    file_types: [],
    patterns: [],
    default: false,
  });
});

test('all problems of a file are reported at once, each with its field', () => {
  const problems = readAssistant(`
name: No Spaces
instructions: ''
examples: [good, 7]
modle: turnout-sim
patterns: ['(a', '(?=look-ahead)']
file_types: [a b]
access: {}
`);
  expect(problems).toEqual([
    'name: must be a-z, 0-9 and -, at most 64 characters',
    expect.stringMatching(/^description: /),
    'examples[1]: Invalid input: expected string, received number',
    'instructions: must not be empty',
    'file_types[0]: must be pdf, docx, html, text, an extension or a media type',
    expect.stringMatching(/^patterns\[0\]: is not a valid RE2 expression: .*missing closing/),
    expect.stringMatching(/^patterns\[1\]: is not a valid RE2 expression/),
    'access: must name a user or a group',
    expect.stringMatching(/modle/),
  ]);
});

test.each([
  ['invalid YAML', 'name: [', /line 1/],
  ['a duplicate key', 'name: a\nname: b', /unique/],
  ['no content', '', /expected object/],
  ['a list', '- name', /expected object/],
  ['a reserved name', '{ name: auto, description: b, instructions: c }', /^name: is reserved/],
  ['exponentially nested aliases', `a: &a [x, x]\n${bomb()}`, /alias/i],
])('a file with %s is rejected with a message', (_, yaml, problem) => {
  expect(readAssistant(yaml)).toEqual([expect.stringMatching(problem)]);
});

/** Each level refers to the previous one eight times. */
function bomb(): string {
  const level = (at: number) => {
    const letters = 'abcdefghij';
    const before = Array.from({ length: 8 }, () => `*${letters.charAt(at)}`).join(', ');
    return `${letters.charAt(at + 1)}: &${letters.charAt(at + 1)} [${before}]`;
  };
  return Array.from({ length: 8 }, (_, at) => level(at)).join('\n');
}
