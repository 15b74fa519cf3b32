import { describe, expect, test } from '@jest/globals';
import { APIConnectionError } from 'openai';
import { type ChatRequest } from '../../shared/contracts/chat-request.ts';
import { type CallReport, callModel } from './model-call.ts';

const body = { model: 'm', messages: [{ role: 'user', content: 'Why?' }] } as ChatRequest;

/** A call whose stream could not be opened. */
async function refused(code: string): Promise<CallReport> {
  const cause = new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code }) });
  return callModel({
    path: { open: () => Promise.reject(new APIConnectionError({ cause })) },
    jobId: 'job_1',
    traceparent: undefined,
    body,
    plan: { kind: 'start', muteReasoning: false },
    patience: { firstTokenMs: 60_000, betweenTokensMs: 60_000 },
    signal: new AbortController().signal,
    write: () => undefined,
  });
}

describe('a call whose connection fails', () => {
  test('before it stood came to nobody, and costs nothing', async () => {
    expect(await refused('ECONNREFUSED')).toMatchObject({ reached: false, usage: undefined });
  });

  test('after the request may have been sent has probably cost its prompt', async () => {
    const report = await refused('ECONNRESET');
    expect(report).toMatchObject({ reached: true, usage: { source: 'estimated' } });
    expect(report.usage?.usage.prompt_tokens).toBeGreaterThan(0);
  });
});
