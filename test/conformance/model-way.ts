import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type OpenAI from 'openai';
import { type APIError, BadRequestError, InternalServerError } from 'openai';
import { type ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { until } from '../../stack/until.ts';
import { collect, failureOf, openaiClient, reasoningOf, textOf } from '../e2e/support.ts';
import { callsOf, callsWhen, undisturbed } from '../faults/support/simulator.ts';
import { type RunningServices } from '../harness/services.ts';
import { type Call } from '../upstream/ledger.ts';

/** A backend as a team configures it: a provider behind LiteLLM, or the legacy system. */
export interface ModelWay {
  /** The provider's name in the log. */
  provider: string;
  /** The model that the client asks for, and the one that the provider receives. */
  model: string;
  upstream: string;
  /** The status with which the provider refuses an API key. */
  badKey: number;
  /** The log phrase of the rollout guide for a refused key, if the guide has one for this provider. */
  noKey: string | undefined;
  /** The log message of a failed call. */
  failed: 'LiteLLM Error' | 'Legacy Error';
}

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

interface Asked {
  model: string;
  messages: ChatCompletionMessageParam[];
  reasoning_effort?: 'low';
}

async function streamOf(client: OpenAI, body: Asked): Promise<Streamed> {
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

/** The usage in OpenAI's format, from the provider's ledger. */
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

/** The log lines of the llm-worker. */
export const workerLines = ({ logs }: RunningServices): Record<string, unknown>[] =>
  readFileSync(join(logs, 'llm-worker.log'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** The behaviour that clients can rely on with any backend. `services`: configured so that all jobs use this backend. */
export function describeModelWay(title: string, way: ModelWay, services: () => RunningServices): void {
  const { provider, model, upstream, badKey, noKey, failed } = way;
  const clientOf = () => openaiClient(services(), { maxRetries: 0 });
  const stream = (body: Asked) => streamOf(clientOf(), body);

  describe(title, () => {
    test('streams the model’s answer, with its exact usage', async () => {
      const messages = conversation(QUESTION);
      const streamed = await stream({ model, messages });
      const calls = await callsOf(streamed.jobId);
      expect(calls).toMatchObject([{ model: upstream, stream: true, outcome: 'completed' }]);
      expect(streamed.text).toBe(await undisturbed({ model, messages }));
      expect(streamed.finish).toBe('stop');
      expect(streamed.usage).toMatchObject(usageOf(calls[0]));
    });

    test('answers without streaming, with its exact usage', async () => {
      const messages = conversation(QUESTION);
      const { data, response } = await clientOf().chat.completions.create({ model, messages }).withResponse();
      const calls = await callsOf(response.headers.get('x-turnout-job-id') ?? '');
      expect(data.choices[0]?.message.content).toBe(await undisturbed({ model, messages }));
      expect(data.usage).toMatchObject(usageOf(calls[0]));
    });

    test('calls a tool, and continues with its result', async () => {
      const asked = { role: 'user' as const, content: 'Please call get_weather for city: Oslo' };
      const first = await clientOf().chat.completions.create({ model, messages: [asked], tools: [weather] });
      const message = first.choices[0]?.message;
      const call = message?.tool_calls?.[0];
      if (message === undefined || call?.type !== 'function') throw new Error('Expected a tool call');
      expect(first.choices[0]?.finish_reason).toBe('tool_calls');
      expect(JSON.parse(call.function.arguments)).toEqual({ city: 'Oslo' });
      const result = { role: 'tool' as const, tool_call_id: call.id, content: 'rain in Oslo' };
      const second = await clientOf().chat.completions.create({
        model,
        messages: [asked, message, result],
        tools: [weather],
      });
      expect(second.choices[0]?.message.content).toContain('get_weather returned: rain in Oslo');
    });

    test('returns its reasoning and counts it', async () => {
      const messages = conversation(QUESTION, 'reasoning=12');
      const streamed = await stream({ model, messages, reasoning_effort: 'low' });
      const [call] = await callsOf(streamed.jobId);
      expect(call?.reasoningTokens).toBe(12);
      expect(streamed.reasoning).toContain('What is my seat?');
      expect(streamed.text).toBe(await undisturbed({ model, messages: conversation(QUESTION) }));
      expect(streamed.usage).toMatchObject(usageOf(call));
    });

    test('returns its reasoning as an item of a response', async () => {
      const input = `${QUESTION} [[sim: reasoning=12]]`;
      const response = await clientOf().responses.create({ model, input, reasoning: { effort: 'low' } });
      expect(response.output.map(({ type }) => type)).toEqual(['reasoning', 'message']);
      expect(JSON.stringify(response.output[0])).toContain('What is my seat?');
      expect(response.output_text).toContain('seat is 12');
      expect(response.usage?.output_tokens_details.reasoning_tokens).toBe(12);
    });

    test('is called again after a rate limit error, and answers', async () => {
      const messages = conversation(QUESTION, 'fail=429; failTimes=1');
      const streamed = await stream({ model, messages });
      expect(streamed.text).toContain('seat is 12');
      expect(await callsOf(streamed.jobId)).toMatchObject([
        { status: 429, outcome: 'failed' },
        { status: 200, outcome: 'completed' },
      ]);
    });

    test('causes a BadRequestError without internals when the provider refuses a request as invalid', async () => {
      const messages = conversation(QUESTION, 'fail=400');
      const error = await failureOf(clientOf().chat.completions.create({ model, messages }));
      expect(error).toBeInstanceOf(BadRequestError);
      expect(error).toMatchObject({ code: 'upstream_rejected', type: 'invalid_request_error' });
      expect(JSON.stringify((error as APIError).error)).not.toMatch(
        /simulated|litellm|exception|openai|azure|bedrock|gemini|127\.0\.0\.1/i,
      );
    });

    test('causes a 502 without a retry when the provider refuses our key, and the log names the cause', async () => {
      const messages = conversation(QUESTION, 'badKey');
      const error = await failureOf(clientOf().chat.completions.create({ model, messages }));
      expect(error).toBeInstanceOf(InternalServerError);
      expect(error).toMatchObject({ status: 502, code: 'upstream_auth' });
      const jobId = (error as APIError).headers?.get('x-turnout-job-id') ?? '';
      expect(await callsOf(jobId)).toMatchObject([{ status: badKey, fault: 'badKey' }]);
      const ours = () => workerLines(services()).filter((line) => line['jobId'] === jobId);
      const lines = [failed, ...(noKey === undefined ? [] : [noKey])];
      const isSaid = () => lines.every((line) => ours().some(({ msg }) => msg === line));
      expect(await until(() => Promise.resolve(isSaid()), { timeoutMs: 5_000 })).toBe(true);
      for (const msg of lines)
        expect(ours()).toContainEqual(
          expect.objectContaining({ msg, code: 'upstream_auth', model, provider }),
        );
      expect(JSON.stringify(ours())).not.toContain('of-nobody');
    });

    test.each([
      ['whose connection breaks', 'cut', 'cut'],
      ['that fails', 'streamError', 'failed'],
    ])('%s in mid-answer is asked to continue, and no text is lost', async (_how, fault, outcome) => {
      const pace = 'tps=100; tokens=30';
      const messages = conversation(QUESTION, `${pace}; ${fault}=12; failTimes=1`);
      const streamed = await stream({ model, messages });
      expect(streamed.text).toBe(await undisturbed({ model, messages }));
      const calls = await callsWhen(streamed.jobId, (all) => all.at(-1)?.outcome === 'completed');
      expect(calls).toMatchObject([{ outcome, fault }, { continuation: 'request' }]);
    });
  });
}
