import { describe, expect, test } from '@jest/globals';
import { APIConnectionError } from 'openai';
import { type ChatCompletionChunk } from 'openai/resources/chat/completions';
import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { type CallReport, callModel, type ModelCallOptions } from './model-call.ts';
import { DivergedError } from './overlap.ts';

const body = { model: 'm', messages: [{ role: 'user', content: 'Why?' }] } as ChatRequest;

const call: Omit<ModelCallOptions, 'backend'> = {
  jobId: 'job_1',
  traceparent: undefined,
  body,
  plan: { kind: 'start', muteReasoning: false },
  timeouts: { firstTokenMs: 60_000, betweenTokensMs: 60_000 },
  signal: new AbortController().signal,
  write: () => undefined,
};

/** The report of a call whose stream cannot be opened. */
async function refused(code: string): Promise<CallReport> {
  const cause = new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code }) });
  return callModel({ ...call, backend: { open: () => Promise.reject(new APIConnectionError({ cause })) } });
}

test('a call that reported its usage is billed by it, even if its answer diverges', async () => {
  const usage = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };
  const chunks = [
    { choices: [{ index: 0, delta: { content: 'No.' }, finish_reason: 'stop' }] },
    { choices: [], usage: { ...usage, cost: 0.5 } },
  ] as unknown as ChatCompletionChunk[];
  async function* stream() {
    yield await Promise.resolve(chunks);
  }
  const report = await callModel({
    ...call,
    backend: { open: () => Promise.resolve({ chunks: stream(), callId: undefined }) },
    write: () => {
      throw new DivergedError();
    },
  });
  expect(report.failure?.code).toBe('upstream_cut');
  expect(report.usage).toEqual({ source: 'reported', usage, cost: 0.5 });
});

describe('a call whose connection fails', () => {
  test('before it is established costs nothing', async () => {
    expect(await refused('ECONNREFUSED')).toMatchObject({ reached: false, usage: undefined });
  });

  test('after the request may have been sent is billed an estimate of its prompt', async () => {
    const report = await refused('ECONNRESET');
    expect(report).toMatchObject({ reached: true, usage: { source: 'estimated' } });
    expect(report.usage?.usage.prompt_tokens).toBeGreaterThan(0);
  });
});
