import { expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { readAssistant } from '../../shared/content/assistants/assistant-file.ts';
import { createSelector } from './assistants/select-assistant.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { type AskedJob, createAskForAssistant, choiceIn } from './ask-for-assistant.ts';

const law = assistant('law', 'examples: [Which clause?]');
const travel = assistant('travel', 'access: { users: [bob] }');

function assistant(name: string, more: string) {
  const read = readAssistant(`{ name: ${name}, description: For ${name}., instructions: i, ${more} }`);
  if ('name' in read) return read;
  throw new Error(read.join());
}

const job: AskedJob = { jobId: 'job_1', user: 'ada', question: 'May I end it early?', assistant: {} };

/** A model that answers with this text, or fails; and the messages that it received. */
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

test('on the legacy backend a model is asked about the assistants that the user may use, and its usage is reported', async () => {
  const { asking, asked } = model('law');
  expect(await asking.ask(job, 'legacy')).toMatchObject({
    choice: { name: 'law' },
    call: { source: 'reported', usage: { total_tokens: 41 } },
  });
  expect(JSON.stringify(asked)).toContain('law: For law.');
  expect(JSON.stringify(asked)).not.toContain('travel');
});

test.each([
  ['on LiteLLM', job, 'litellm'],
  ['for a request that names an assistant', { ...job, assistant: { asked: 'law' } }, 'legacy'],
  ['for a conversation that has an assistant', { ...job, assistant: { conversation: 'law' } }, 'legacy'],
  ['for a request without assistant selection', { ...job, assistant: undefined }, 'legacy'],
] as const)('no model is asked %s', async (_, one, path) => {
  const { asking, asked } = model('law');
  expect(await asking.ask(one, path)).toBeUndefined();
  expect(asked).toEqual([]);
});

test('a failing model selects nothing, is billed an estimate, and is not called after three failures', async () => {
  const { asking, asked } = model(new Error('away'));
  for (let time = 1; time <= 5; time += 1) {
    const told = await asking.ask(job, 'legacy');
    expect(told).not.toHaveProperty('choice');
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
])('the answer %j is read as an unambiguous name, or not at all', (answer, told) => {
  expect(choiceIn(answer, [law, travel])).toEqual(told);
});
