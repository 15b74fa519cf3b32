import { expect, test } from '@jest/globals';
import { type Assistant, readAssistant } from '../../shared/content/assistants/assistant-file.ts';
import { createSelector } from './assistants/select-assistant.ts';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { createAssistantPicker, type PickedJob } from './pick-assistant.ts';

function assistant(name: string, more = ''): Assistant {
  const read = readAssistant(`{ name: ${name}, description: d, instructions: of ${name}${more} }`);
  if ('name' in read) return read;
  throw new Error(read.join());
}

const law = assistant('law', ', model: m-law, sources: [statutes], patterns: [clause]');
const bare = assistant('bare');

/** `later`: the assistants in the folder after a refresh. */
function picker(
  all: Assistant[],
  { later = all, defaultModel }: { later?: Assistant[]; defaultModel?: string } = {},
) {
  let now = all;
  const registry = {
    current: () => createSelector(now),
    refresh: () => Promise.resolve(void (now = later)),
  };
  return createAssistantPicker({ registry, defaultModel });
}

const job = (changes: Partial<PickedJob> = {}): PickedJob => ({
  user: 'ada',
  model: 'auto',
  question: 'Which clause?',
  documents: [],
  assistant: {},
  ...changes,
});
const routed = {
  type: 'routed',
  at: 1,
  path: 'litellm',
  reason: 'percentage',
  epoch: 0,
  step: 0,
  promptTokens: 0,
} as const;
const event: JobEvent = {
  type: 'assistant',
  name: 'law',
  version: 'old',
  model: 'm-old',
  reason: 'pattern',
  scores: [],
};

test('a job without assistant selection gets no assistant, even if one fits', async () => {
  const picked = await picker([law]).pick(job({ assistant: undefined, model: 'gpt' }));
  expect(picked).toEqual({ model: 'gpt', sources: [] });
});

test('an assistant sets the model, instructions and sources, and the log has the reason', async () => {
  expect(await picker([law, bare]).pick(job())).toEqual({
    model: 'm-law',
    event: {
      type: 'assistant',
      name: 'law',
      version: law.version,
      model: 'm-law',
      reason: 'pattern',
      scores: [],
    },
    assistant: { name: 'law', version: law.version, instructions: 'of law' },
    sources: ['statutes'],
  });
});

test('the model that a request names wins over the assistant’s model', async () => {
  expect(await picker([law]).pick(job({ model: 'gpt' }))).toMatchObject({
    model: 'gpt',
    event: { model: 'gpt' },
  });
});

test.each([
  ['no assistant', [law], job({ question: 'Hello' }), 'assistant_not_found'],
  ['an assistant without a model', [bare], job({ assistant: { asked: 'bare' } }), 'invalid_value'],
])('a job without a model gets the default model, or fails: %s', async (_, all, asked, code) => {
  expect(await picker(all, { defaultModel: 'd' }).pick(asked)).toMatchObject({ model: 'd' });
  expect(await picker(all).pick(asked)).toMatchObject({ code, param: 'model' });
});

test('an assistant file that only the ingress has read is looked for before the job fails', async () => {
  const asked = job({ assistant: { asked: 'law' } });
  expect(await picker([], { later: [law] }).pick(asked)).toMatchObject({ model: 'm-law' });
  expect(await picker([]).pick(asked)).toMatchObject({ code: 'assistant_not_found' });
});

test.each<[string, JobEvent[], Assistant[], object]>([
  [
    'the assistant of the log',
    [routed, event],
    [bare, law],
    { model: 'm-old', event, assistant: { version: law.version } },
  ],
  [
    'an error, when that assistant no longer exists',
    [routed, event],
    [bare],
    { code: 'assistant_not_found' },
  ],
  [
    'no assistant, as before, although one fits now',
    [{ ...routed, model: 'd' }],
    [law],
    { model: 'd', sources: [] },
  ],
  ['an error, when no model was found before', [routed], [law], { code: 'assistant_not_found' }],
])('a job that is routed again gets %s', (_, log, all, expected) => {
  expect(picker(all).pickAgain(job(), log)).toMatchObject(expected);
});

test('the answer of a selecting model wins over the content; without an answer the content decides', async () => {
  const all = picker([law, bare], { defaultModel: 'd' });
  expect(await all.pick(job(), { name: 'bare' })).toMatchObject({ event: { name: 'bare', reason: 'model' } });
  expect(await all.pick(job(), { name: undefined })).toEqual({ model: 'd', sources: [] });
  expect(await all.pick(job(), undefined)).toMatchObject({ event: { name: 'law', reason: 'pattern' } });
});
