import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type OpenAI from 'openai';
import { type APIError, BadRequestError, InternalServerError } from 'openai';
import { type ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { until } from '../../stack/until.ts';
import { callsOf, callsWhen, undisturbed } from '../faults/support/simulator.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { startSystem, type System } from '../harness/system.ts';
import { type Call } from '../upstream/ledger.ts';
import { collect, failureOf, openaiClient, reasoningOf, textOf } from './support.ts';

jest.setTimeout(60_000);

/** The four providers as a team configures them, each in its own wire format behind the real LiteLLM. */
const PROVIDERS = [
  { name: 'OpenAI', provider: 'openai', model: 'gpt-5.4', upstream: 'gpt-5.4', badKey: 401 },
  { name: 'Azure', provider: 'azure', model: 'rail-gpt-5-mini', upstream: 'rail-gpt-5-mini', badKey: 401 },
  {
    name: 'Bedrock',
    provider: 'bedrock',
    model: 'claude-sonnet',
    upstream: 'global.anthropic.claude-sonnet-4-6',
    badKey: 403,
  },
  {
    name: 'Gemini',
    provider: 'gemini',
    model: 'gemini-2.5-flash',
    upstream: 'gemini-2.5-flash',
    badKey: 400,
  },
] as const;

function credentials(upstream: string): Record<string, string> {
  return {
    OPENAI_API_KEY: 'sk-of-nobody',
    OPENAI_BASE_URL: `${upstream}/v1`,
    AZURE_API_KEY: 'key-of-nobody',
    AZURE_API_BASE: upstream,
    AZURE_API_VERSION: '2025-04-01-preview',
    AZURE_DEPLOYMENTS: 'rail-gpt-5-mini',
    AWS_ACCESS_KEY_ID: 'AKIAOFNOBODY',
    AWS_SECRET_ACCESS_KEY: 'secret-of-nobody',
    AWS_REGION_NAME: 'eu-central-1',
    AWS_BEDROCK_RUNTIME_ENDPOINT: upstream,
    GEMINI_API_KEY: 'key-of-nobody',
    GEMINI_API_BASE: `${upstream}/v1beta`,
  };
}

let proxy: System | undefined;
let services: RunningServices | undefined;
let client: OpenAI;

beforeAll(async () => {
  proxy = await startSystem({ parts: ['litellm'], settings: credentials(testEnv().UPSTREAM_URL) });
  const { LITELLM_URL = '', LITELLM_MASTER_KEY = '' } = proxy.env;
  services = await startServices({ env: { LITELLM_URL, LITELLM_MASTER_KEY } });
  client = openaiClient(services, { maxRetries: 0 });
}, 240_000);

afterAll(async () => {
  await services?.stop();
  await proxy?.stop();
}, 60_000);

const weather = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};
const QUESTION = 'My seat is 12. What is my seat?';

function conversation(question: string, knobs = ''): ChatCompletionMessageParam[] {
  const content = knobs === '' ? question : `${question} [[sim: ${knobs}]]`;
  return [
    { role: 'system', content: 'You answer passengers.' },
    { role: 'user', content },
  ];
}

interface Streamed {
  jobId: string;
  text: string;
  reasoning: string;
  usage: OpenAI.CompletionUsage | null | undefined;
  finish: string | null | undefined;
}

async function stream(body: {
  model: string;
  messages: ChatCompletionMessageParam[];
  reasoning_effort?: 'low';
}): Promise<Streamed> {
  const { data, response } = await client.chat.completions
    .create({ ...body, stream: true, stream_options: { include_usage: true } })
    .withResponse();
  const chunks = await collect(data);
  return {
    jobId: response.headers.get('x-turnout-job-id') ?? '',
    text: textOf(chunks),
    reasoning: chunks.map((chunk) => reasoningOf(chunk.choices[0]?.delta)).join(''),
    usage: chunks.at(-1)?.usage,
    finish: chunks.findLast(({ choices }) => choices[0]?.finish_reason)?.choices[0]?.finish_reason,
  };
}

/** As OpenAI counts them, from what the provider has in its ledger. */
function usageOf(call: Call | undefined): object {
  const { promptTokens = 0, completionTokens = 0, reasoningTokens = 0 } = call ?? {};
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    ...(reasoningTokens === 0
      ? {}
      : { completion_tokens_details: expect.objectContaining({ reasoning_tokens: reasoningTokens }) }),
  };
}

const workerLines = (): Record<string, unknown>[] =>
  readFileSync(join(services?.logs ?? '', 'llm-worker.log'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe.each(PROVIDERS)('through LiteLLM, $name', ({ name, provider, model, upstream, badKey }) => {
  test('streams what the model says, with its exact usage', async () => {
    const messages = conversation(QUESTION);
    const streamed = await stream({ model, messages });
    const calls = await callsOf(streamed.jobId);
    expect(calls).toMatchObject([{ model: upstream, stream: true, outcome: 'completed' }]);
    expect(streamed.text).toBe(await undisturbed({ model, messages }));
    expect(streamed.finish).toBe('stop');
    expect(streamed.usage).toMatchObject(usageOf(calls[0]));
  });

  test('answers whole, with its exact usage', async () => {
    const messages = conversation(QUESTION);
    const { data, response } = await client.chat.completions.create({ model, messages }).withResponse();
    const calls = await callsOf(response.headers.get('x-turnout-job-id') ?? '');
    expect(data.choices[0]?.message.content).toBe(await undisturbed({ model, messages }));
    expect(data.usage).toMatchObject(usageOf(calls[0]));
  });

  test('calls a tool, and goes on with its result', async () => {
    const asked = { role: 'user' as const, content: 'Please call get_weather for city: Oslo' };
    const first = await client.chat.completions.create({ model, messages: [asked], tools: [weather] });
    const message = first.choices[0]?.message;
    const call = message?.tool_calls?.[0];
    if (message === undefined || call?.type !== 'function') throw new Error('no tool was called');
    expect(first.choices[0]?.finish_reason).toBe('tool_calls');
    expect(JSON.parse(call.function.arguments)).toEqual({ city: 'Oslo' });
    const result = { role: 'tool' as const, tool_call_id: call.id, content: 'rain in Oslo' };
    const second = await client.chat.completions.create({
      model,
      messages: [asked, message, result],
      tools: [weather],
    });
    expect(second.choices[0]?.message.content).toContain('get_weather returned: rain in Oslo');
  });

  test('shows its thinking and counts it', async () => {
    const messages = conversation(QUESTION, 'reasoning=12');
    const streamed = await stream({ model, messages, reasoning_effort: 'low' });
    const [call] = await callsOf(streamed.jobId);
    expect(call?.reasoningTokens).toBe(12);
    expect(streamed.reasoning).toContain('What is my seat?');
    expect(streamed.text).toBe(await undisturbed({ model, messages: conversation(QUESTION) }));
    expect(streamed.usage).toMatchObject(usageOf(call));
  });

  test('has its thinking as an item of a response', async () => {
    const input = `${QUESTION} [[sim: reasoning=12]]`;
    const response = await client.responses.create({ model, input, reasoning: { effort: 'low' } });
    expect(response.output.map(({ type }) => type)).toEqual(['reasoning', 'message']);
    expect(JSON.stringify(response.output[0])).toContain('What is my seat?');
    expect(response.output_text).toContain('seat is 12');
    expect(response.usage?.output_tokens_details.reasoning_tokens).toBe(12);
  });

  test('that limits requests is asked again, and answers', async () => {
    const messages = conversation(QUESTION, 'fail=429; failTimes=1');
    const streamed = await stream({ model, messages });
    expect(streamed.text).toContain('seat is 12');
    expect(await callsOf(streamed.jobId)).toMatchObject([
      { status: 429, outcome: 'failed' },
      { status: 200, outcome: 'completed' },
    ]);
  });

  test('that finds a request invalid is a BadRequestError that tells nothing of the inside', async () => {
    const messages = conversation(QUESTION, 'fail=400');
    const error = await failureOf(client.chat.completions.create({ model, messages }));
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ code: 'upstream_rejected', type: 'invalid_request_error' });
    expect(JSON.stringify((error as APIError).error)).not.toMatch(
      /simulated|litellm|exception|openai|azure|bedrock|gemini|127\.0\.0\.1/i,
    );
  });

  test('that refuses our key is no fault of the client, is not asked again, and is named in the log', async () => {
    const messages = conversation(QUESTION, 'badKey');
    const error = await failureOf(client.chat.completions.create({ model, messages }));
    expect(error).toBeInstanceOf(InternalServerError);
    expect(error).toMatchObject({ status: 502, code: 'upstream_auth' });
    const jobId = (error as APIError).headers?.get('x-turnout-job-id') ?? '';
    expect(await callsOf(jobId)).toMatchObject([{ status: badKey, fault: 'badKey' }]);
    const ours = () => workerLines().filter((line) => line['jobId'] === jobId);
    const said = await until(() => Promise.resolve(ours().some(({ msg }) => /^No /.test(String(msg)))), {
      timeoutMs: 5_000,
    });
    expect(said).toBe(true);
    expect(ours()).toContainEqual(
      expect.objectContaining({ msg: `No ${name} key available`, code: 'upstream_auth', model, provider }),
    );
    expect(ours()).toContainEqual(
      expect.objectContaining({ msg: 'LiteLLM Error', code: 'upstream_auth', retryable: false, provider }),
    );
    expect(JSON.stringify(ours())).not.toContain('of-nobody');
  });

  test.each([
    ['whose connection breaks', 'cut', 'cut'],
    ['that fails', 'streamError', 'failed'],
  ])('%s in the middle of an answer is asked to go on, and nothing is lost', async (_how, fault, outcome) => {
    const pace = 'tps=100; tokens=30';
    const messages = conversation(QUESTION, `${pace}; ${fault}=12; failTimes=1`);
    const streamed = await stream({ model, messages });
    expect(streamed.text).toBe(await undisturbed({ model, messages }));
    const calls = await callsWhen(streamed.jobId, (all) => all.at(-1)?.outcome === 'completed');
    expect(calls).toMatchObject([{ outcome, fault }, { continuation: 'request' }]);
  });
});

test('no key is said to be missing at the start where each provider has models', () => {
  const said = workerLines().filter(({ msg }) => /^No \w+ key available$/.test(String(msg)));
  expect(said.filter(({ jobId }) => jobId === undefined)).toEqual([]);
});
