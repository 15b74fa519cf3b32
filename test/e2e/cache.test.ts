import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { type ChatCompletionCreateParamsStreaming } from 'openai/resources/chat/completions';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { collect, openaiClient, textOf, upstreamCalls } from './support.ts';

jest.setTimeout(60_000);

let services: RunningServices;

beforeAll(async () => {
  services = await startServices({ env: { ENABLE_CACHE: 'true' } });
}, 60_000);
afterAll(() => services.stop());

/** A question that nobody has asked before. */
function newQuestion(): string {
  return `What is a turnout? (${randomBytes(6).toString('hex')})`;
}

interface Asked {
  text: string;
  cache: string | null;
  saved: string | null;
  attempts: string | null;
  usage: unknown;
  jobId: string;
  calls: number;
}

type Body = Partial<ChatCompletionCreateParamsStreaming> & Record<string, unknown>;

async function ask(
  body: Body,
  headers: Record<string, string> = {},
  apiKey = testEnv().TURNOUT_API_KEY,
): Promise<Asked> {
  const client = openaiClient(services, { apiKey });
  const request = {
    model: 'turnout-sim',
    stream: true,
    stream_options: { include_usage: true },
    messages: [],
    ...body,
  };
  const { data, response } = await client.chat.completions
    .create(request as ChatCompletionCreateParamsStreaming, { headers })
    .withResponse();
  const chunks = await collect(data);
  const jobId = response.headers.get('x-turnout-job-id') ?? '';
  return {
    text: textOf(chunks),
    cache: response.headers.get('x-turnout-cache'),
    saved: response.headers.get('x-turnout-saved-tokens'),
    attempts: response.headers.get('x-turnout-attempts'),
    usage: chunks.at(-1)?.usage,
    jobId,
    calls: (await upstreamCalls(jobId)).length,
  };
}

const said = (content: string) => ({ messages: [{ role: 'user' as const, content }] });

/** The answer that was kept: it is there some milliseconds after the first one's end. */
async function askUntilKept(body: Body): Promise<Asked> {
  let last: Asked | undefined;
  await until(async () => ((last = await ask(body)), last.cache === 'hit'), { timeoutMs: 10_000 });
  if (!last) throw new Error('never asked');
  return last;
}

describe('an answer that its user had before', () => {
  test('comes from his cache: the same text, no call of the model, no tokens', async () => {
    const body = said(newQuestion());
    const first = await ask(body);
    expect(first).toMatchObject({ cache: 'miss', attempts: '1', saved: null, calls: 1 });
    const again = await askUntilKept(body);
    expect(again).toMatchObject({ text: first.text, attempts: '0', calls: 0 });
    expect(again.usage).toEqual({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 });
    expect(again.saved).toBe(String((first.usage as { total_tokens: number }).total_tokens));
  });
});
