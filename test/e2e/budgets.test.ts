import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type UpstreamCall, upstreamCalls } from './support.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { jsonLinesOf, linesOf, runTurnout } from '../harness/turnout-cli.ts';

jest.setTimeout(120_000);

/** Tokens that one of these requests costs, as the simulator counts. */
const ANSWER_TOKENS = 40;
const JOBS = 100;

let services: RunningServices | undefined;
let url: string;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'turnout-budgets-'));
  await writeFile(join(folder, 'policy.yaml'), 'default: {}');
  const keys = ['ada', 'bob', 'root'].map((user) => ({
    id: `key_${user}`,
    user,
    groups: user === 'root' ? [] : ['team'],
    admin: user === 'root',
    sha256: createHash('sha256').update(`sk-${user}`).digest('hex'),
  }));
  await writeFile(join(folder, 'keys.json'), JSON.stringify({ keys }));
  services = await startServices({
    env: { POLICY_FILE: join(folder, 'policy.yaml'), API_KEYS_FILE: join(folder, 'keys.json') },
  });
  url = services.url;
}, 90_000);

afterAll(async () => {
  await services?.stop();
  await rm(folder, { recursive: true });
}, 60_000);

async function call(user: string, path: string, body?: object) {
  const response = await fetch(`${url}${path}`, {
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer sk-${user}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

const chat = (user: string, knobs = `tokens=${ANSWER_TOKENS}`) =>
  call(user, '/v1/chat/completions', {
    model: 'turnout-sim',
    max_tokens: ANSWER_TOKENS,
    messages: [{ role: 'user', content: `[[sim: ${knobs}]] My seat is 5. What is my seat?` }],
  });

interface Figures {
  prompt_tokens: number;
  completion_tokens: number;
  cost_usd: number;
}
interface UsageBody {
  day: { jobs: number; reported: Figures; estimated: Figures };
}

const usageOf = async (user: string, query = '') =>
  ((await call(user, `/v1/usage${query}`)).body as unknown as UsageBody).day;

const tokensIn = ({ prompt_tokens: prompt, completion_tokens: completion }: Figures) => prompt + completion;

async function counted(user: string, jobs: number) {
  const all = async () => (await usageOf(user)).jobs >= jobs;
  expect(await until(all, { timeoutMs: 30_000 })).toBe(true);
  return usageOf(user);
}

async function setBudget(policy: string): Promise<void> {
  await writeFile(join(folder, 'policy.yaml'), policy);
  const inForce = async () =>
    JSON.stringify((await call('ada', '/v1/usage')).body['budgets']).includes('daily_tokens');
  expect(await until(inForce, { timeoutMs: 10_000 })).toBe(true);
}

test('200 requests at once against a budget for 100 never exceed it, and ended jobs free what they did not use', async () => {
  await chat('ada');
  const { reported } = await counted('ada', 1);
  const one = tokensIn(reported);
  const budget = one * (JOBS + 1);
  await setBudget(`default: { budget: { daily_tokens: ${budget} } }`);
  const answers = await Promise.all(Array.from({ length: 2 * JOBS }, () => chat('ada')));
  const answered = answers.filter(({ status }) => status === 200).length;
  const refused = answers.find(({ status }) => status === 429);
  expect(refused?.body).toMatchObject({ error: { code: 'insufficient_quota' } });
  expect(refused?.headers.get('x-should-retry')).toBe('false');
  expect(answered).toBeGreaterThan(JOBS / 4);
  const spent = await counted('ada', answered + 1);
  expect(tokensIn(spent.reported)).toBeLessThanOrEqual(budget);
  // Each job was admitted with a reserved estimate. Their actual usage, which is lower, has been counted by now.
  const more = await Promise.all(Array.from({ length: JOBS }, () => chat('ada')));
  const total = answered + more.filter(({ status }) => status === 200).length;
  expect(total).toBeGreaterThan(answered);
  const { reported: all, estimated } = await counted('ada', total + 1);
  expect(tokensIn(all)).toBeLessThanOrEqual(budget);
  expect(tokensIn(all)).toBe(one * (total + 1));
  expect(tokensIn(estimated)).toBe(0);
});

test('a group pays for its members, and only admins see its usage', async () => {
  const before = await usageOf('root', '?group=team');
  await chat('bob');
  await counted('bob', 1);
  const after = await usageOf('root', '?group=team');
  expect(after.jobs).toBe(before.jobs + 1);
  expect(tokensIn(await usageOf('root', '?user=bob').then(({ reported }) => reported))).toBeGreaterThan(0);
  expect((await call('bob', '/v1/usage?user=ada')).body).toMatchObject({ error: { code: 'admin_required' } });
  expect((await call('bob', '/v1/usage?date=yesterday')).status).toBe(400);
});

interface ReadStream {
  jobId: string;
  begun: boolean;
  text: string;
}

/** Reads an answer as it arrives. Resolves at its end. */
function reading(user: string, knobs: string): { state: ReadStream; ended: Promise<void> } {
  const state: ReadStream = { jobId: '', begun: false, text: '' };
  const read = async () => {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer sk-${user}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'turnout-sim',
        stream: true,
        max_tokens: ANSWER_TOKENS,
        messages: [{ role: 'user', content: `[[sim: ${knobs}]] My seat is 5. What is my seat?` }],
      }),
    });
    state.jobId = response.headers.get('x-turnout-job-id') ?? '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      state.text += chunk;
      state.begun ||= state.text.includes('"content":"');
    }
  };
  return { state, ended: read() };
}

test('after a worker is killed in mid-answer, the bill equals the provider’s own count to the token', async () => {
  const { reported: first, jobs: before } = await usageOf('bob');
  const streams = Array.from({ length: 10 }, () => reading('bob', `tokens=${ANSWER_TOKENS}; tps=20`));
  const allBegun = () => streams.every(({ state }) => state.begun);
  expect(await until(allBegun, { timeoutMs: 20_000, everyMs: 10 })).toBe(true);
  await services?.kill('llm-worker');
  await services?.start('llm-worker');
  await Promise.all(streams.map(({ ended }) => ended));
  expect(streams.filter(({ state }) => state.text.includes('[DONE]'))).toHaveLength(10);
  const { reported, estimated } = await counted('bob', streams.length + before);
  const calls = (await Promise.all(streams.map(({ state }) => upstreamCalls(state.jobId)))).flat();
  const whole = calls.filter(({ outcome }) => outcome === 'completed');
  const sum = (of: (call: UpstreamCall) => number) => whole.reduce((total, call) => total + of(call), 0);
  expect(calls.length).toBeGreaterThan(streams.length);
  expect({ calls: whole.length, prompt: reported.prompt_tokens - first.prompt_tokens }).toEqual({
    calls: streams.length,
    prompt: sum((call) => call.promptTokens),
  });
  expect(reported.completion_tokens - first.completion_tokens).toBe(sum((call) => call.completionTokens));
  expect(tokensIn(estimated)).toBeGreaterThan(0);

  const rebuilt = await runTurnout(services?.prefix ?? '', ['usage', 'rebuild']);
  expect([rebuilt.code, linesOf(rebuilt).at(-1)]).toEqual([0, expect.stringContaining(' 0 of which differ')]);
  const { TURNOUT_SECRET } = testEnv();
  const shown = await runTurnout(services?.prefix ?? '', ['usage', 'show', '--user', 'bob', '--json'], {
    env: { TURNOUT_SECRET },
  });
  const [line] = jsonLinesOf(shown) as [{ usages: { jobs: number }[] }];
  expect(line.usages[0]?.jobs).toBe(streams.length + before);
});
