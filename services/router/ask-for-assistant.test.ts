import { expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { readAssistant } from '../../shared/content/assistants/assistant-file.ts';
import { createSelector } from './assistants/select-assistant.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { type AskedJob, createAskForAssistant, toldBy } from './ask-for-assistant.ts';

const law = assistant('law', 'examples: [Which clause?]');
const travel = assistant('travel', 'access: { users: [bob] }');

function assistant(name: string, more: string) {
  const read = readAssistant(`{ name: ${name}, description: For ${name}., instructions: i, ${more} }`);
  if ('name' in read) return read;
  throw new Error(read.join());
}

const job: AskedJob = { jobId: 'job_1', user: 'ada', question: 'May I end it early?', assistant: {} };

/** A model that says this, or fails; and what it was asked. */
function model(says: string | Error) {
  const asked: OpenAI.ChatCompletionMessageParam[][] = [];
  const usage = { prompt_tokens: 40, completion_tokens: 1, total_tokens: 41 };
  const create = ({ messages }: OpenAI.ChatCompletionCreateParams) => {
    asked.push([...messages]);
    if (says instanceof Error) return Promise.reject(says);
    return Promise.resolve({ choices: [{ message: { content: says } }], usage });
  };
  const client = { chat: { completions: { create } } } as unknown as OpenAI;
  const registry = { current: () => createSelector([law, travel]) };
  const asking = createAskForAssistant({
    registry,
    client,
    model: 'router',
    timeoutMs: 100,
    log: silentLogger,
  });
  return { asking, asked };
}

test('a model is asked on the legacy path, of those that the user may have, and its usage is told', async () => {
  const { asking, asked } = model('law');
  expect(await asking.ask(job, 'legacy')).toMatchObject({
    told: { name: 'law' },
    call: { source: 'reported', usage: { total_tokens: 41 } },
  });
  expect(JSON.stringify(asked)).toContain('law: For law.');
  expect(JSON.stringify(asked)).not.toContain('travel');
});

test.each([
  ['on LiteLLM', job, 'litellm'],
  ['for a request that names one', { ...job, assistant: { asked: 'law' } }, 'legacy'],
  ['for one that goes on with one', { ...job, assistant: { conversation: 'law' } }, 'legacy'],
  ['for one that speaks of none', { ...job, assistant: undefined }, 'legacy'],
] as const)('nobody is asked %s', async (_, one, path) => {
  const { asking, asked } = model('law');
  expect(await asking.ask(one, path)).toBeUndefined();
  expect(asked).toEqual([]);
});

test('a model that fails decides nothing, may have cost something, and is not asked again at once', async () => {
  const { asking, asked } = model(new Error('away'));
  for (let time = 1; time <= 5; time += 1) {
    const told = await asking.ask(job, 'legacy');
    expect(told).not.toHaveProperty('told');
    const tokens = told?.call.usage.total_tokens ?? -1;
    expect(tokens > 0).toBe(time <= 3);
  }
  expect(asked).toHaveLength(3);
});

test.each([
  ['law', { name: 'law' }],
  [' "Law". ', { name: 'law' }],
  ['The assistant is: travel', { name: 'travel' }],
  ['none', { name: undefined }],
  ['law or travel', undefined],
  ['lawyer', undefined],
  ['', undefined],
])('of the answer %j it takes what can be meant', (answer, told) => {
  expect(toldBy(answer, [law, travel])).toEqual(told);
});
