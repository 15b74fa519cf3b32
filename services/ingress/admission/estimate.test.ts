import { describe, expect, test } from '@jest/globals';
import { type Assistant } from '../../../shared/content/assistants/assistant-file.ts';
import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { countTokens } from '../../../shared/content/documents/tokens.ts';
import { createMeasureEntrant } from './measure-entrant.ts';
import { type TakenDocument } from '../documents/take-documents.ts';
import { type CandidateRules, candidatesOf } from './candidates.ts';
import { estimateOf, minuteTokens } from './estimate.ts';

const WORDS = 'a railway turnout moves trains from one track to another '.repeat(200);
const WORD_TOKENS = countTokens(WORDS);
const price = { input: 1e-6, output: 4e-6 };
const rules = { documentTokens: 6_000, besideTokens: 0, price, maxOutput: 16_384 };

const asking = (more: object = {}): ChatRequest => ({
  model: 'm',
  messages: [{ role: 'user', content: 'Hi' }],
  max_tokens: 10,
  ...more,
});
const taken = (request: ChatRequest, documents: TakenDocument[] = []) => ({
  request,
  documents,
  question: '',
});
const measured = createMeasureEntrant();
const most = async (request: ChatRequest, documents: TakenDocument[] = []) => {
  const entrant = taken(request, documents);
  return (await estimateOf(entrant, measured('ada', entrant), rules)).most;
};
const minute = (request: ChatRequest, documents: TakenDocument[] = []) => {
  const entrant = taken(request, documents);
  return minuteTokens(entrant, measured('ada', entrant), rules);
};

const document = (content: TakenDocument['content']): TakenDocument => ({
  index: 0,
  name: 'd',
  mediaType: 'text/plain',
  version: '',
  content,
});
const stored = { kind: 'blob', name: 'files/f/text', sha256: '', bytes: 400_000 } as const;

describe('budgets and limits per minute both count', () => {
  test.each<[string, object]>([
    ['tools', { tools: [{ type: 'function', function: { name: 't', description: WORDS } }] }],
    ['the response format', { response_format: { type: 'json_schema', json_schema: { name: WORDS } } }],
    ['a predicted output', { prediction: { type: 'content', content: WORDS } }],
  ])('%s', async (_what, more) => {
    expect((await most(asking(more))).tokens).toBeGreaterThan(WORD_TOKENS);
    expect(await minute(asking(more))).toBeGreaterThan(WORD_TOKENS);
  });

  test('documents sent inline, and documents uploaded before', async () => {
    for (const content of [{ kind: 'inline', text: WORDS } as const, stored]) {
      expect((await most(asking(), [document(content)])).tokens).toBeGreaterThan(WORD_TOKENS);
      expect(await minute(asking(), [document(content)])).toBeGreaterThan(WORD_TOKENS);
    }
    const short = document({ kind: 'inline', text: 'short' });
    expect((await most(asking(), [short])).tokens).toBeLessThan(500);
  });
});

test('image data is not counted as text', async () => {
  const url = `data:image/png;base64,${'A'.repeat(3_000_000)}`;
  const content = [{ type: 'image_url' as const, image_url: { url, detail: 'low' } }];
  expect((await most(asking({ messages: [{ role: 'user', content }] }))).tokens).toBeLessThan(300);
});

test('an answer without a limit reserves the longest output of its model, or at least a usual length', async () => {
  const request: ChatRequest = { model: 'm', messages: [{ role: 'user', content: 'Hi' }], n: 2 };
  const entrant = taken(request);
  const { most: all, usual } = await estimateOf(entrant, measured('ada', entrant), rules);
  expect(all.tokens).toBeGreaterThan(2 * 16_384);
  expect(usual?.tokens).toBeLessThan(2_100);
  expect(all.cost).toBeCloseTo(2 * 16_384 * price.output, 3);
});

test('a predicted output is priced like an answer', async () => {
  const request = asking({ prediction: { type: 'content', content: WORDS } });
  expect((await most(request)).cost).toBeGreaterThan(WORD_TOKENS * price.output);
});

describe('a job whose assistant is selected later', () => {
  const assistant = (name: string, more: object = {}) =>
    ({ name, sources: [], instructions: 'short', ...more }) as unknown as Assistant;
  const candidateRules: CandidateRules = {
    assistants: () => [
      assistant('small', { model: 'a' }),
      assistant('big', { instructions: WORDS, sources: ['wiki'] }),
    ],
    sources: [{ name: 'wiki', always: false, tokens: 2_000 }],
    fallbacks: { a: ['b'] },
    defaultModel: 'c',
  };
  const caller = { user: 'ada', groups: [] };
  const of = (model: string, selection: object | undefined) =>
    candidatesOf({ model, assistant: selection, caller }, candidateRules);

  test('counts the longest instructions and sources that it may get', () => {
    expect(of('auto', {}).besideTokens).toBe(WORD_TOKENS + 2_000);
    expect(of('m', { asked: 'small' }).besideTokens).toBeLessThan(5);
    expect(of('m', undefined).besideTokens).toBe(0);
  });

  test('lists all models that may answer and their fallbacks', () => {
    expect(of('auto', {})).toMatchObject({ models: ['a', 'c'], fallbacks: ['b'] });
    expect(of('auto', undefined).models).toEqual(['auto']);
  });
});
