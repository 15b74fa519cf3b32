import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../stack/until.ts';
import { say } from '../faults/support/fleet.ts';
import { type JobStore, openJobStore } from '../faults/support/job-store.ts';
import { type Reading, readStream } from '../faults/support/reading.ts';
import { callsWhen } from '../faults/support/simulator.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { type Call } from '../upstream/ledger.ts';

jest.setTimeout(180_000);

/** US dollars per token of the simulated model (deploy/litellm/simulator.yaml). */
const PRICE = { input: 1e-6, output: 4e-6 };
const BUDGET_USD = 0.012;
const MAX_TOKENS = 400;
/** The provider pauses after this many of the 305 tokens, so that a stream is always cut before its end, however busy the machine is. */
const ALMOST_ALL = 280;
/** How far a bill made of estimates may differ from the provider's count. */
const TOLERANCE = 0.1;

/**
 * Each of these words is one token for the simulator and for the estimate, so a difference between the two comes from billing, and not
 * from tokenizers.
 */
const WORDS =
  'north south river bridge tower garden window market station forest mountain road city village school church castle field island house';
const LIST = Array.from({ length: 15 }, () => WORDS).join(' ');
const question = (knobs: string) => [
  { role: 'user', content: `[[sim: ${knobs}]] My list is ${LIST}. What is my list?` },
];

let services: RunningServices | undefined;
let store: JobStore;
let url: string;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'turnout-cut-streams-'));
  const keys = ['limited', 'unlimited'].map((user) => ({
    id: `key_${user}`,
    user,
    groups: [],
    sha256: createHash('sha256').update(`sk-${user}`).digest('hex'),
  }));
  await writeFile(join(folder, 'keys.json'), JSON.stringify({ keys }));
  await writeFile(join(folder, 'policy.yaml'), `default: { budget: { daily_usd: ${BUDGET_USD} } }`);
  services = await startServices({
    env: { POLICY_FILE: join(folder, 'policy.yaml'), API_KEYS_FILE: join(folder, 'keys.json') },
  });
  url = services.url;
  store = openJobStore(services.prefix);
}, 90_000);

afterAll(async () => {
  await services?.stop();
  await store.close();
  await rm(folder, { recursive: true });
}, 60_000);

interface Figures {
  prompt_tokens: number;
  completion_tokens: number;
  cost_usd: number;
}
interface Day {
  jobs: number;
  reported: Figures;
  estimated: Figures;
}

async function usageOf(user: string): Promise<Day> {
  const response = await fetch(`${url}/v1/usage`, { headers: { authorization: `Bearer sk-${user}` } });
  return ((await response.json()) as { day: Day }).day;
}

/** The day's usage once the bills of `jobs` jobs have been counted. */
async function billed(user: string, jobs: number): Promise<Day> {
  const counted = async () => (await usageOf(user)).jobs >= jobs;
  expect(await until(counted, { timeoutMs: 30_000 })).toBe(true);
  return usageOf(user);
}

const costOf = (calls: readonly Call[]) =>
  calls.reduce(
    (sum, call) => sum + call.promptTokens * PRICE.input + call.completionTokens * PRICE.output,
    0,
  );

interface User {
  name: string;
  limit: object;
}

/** Starts a stream. Returns the id of its job, or undefined if the budget refused it. */
async function start(
  { name, limit }: User,
  knobs: string,
): Promise<{ reading: Reading; jobId: string } | undefined> {
  const body = { model: 'turnout-sim', messages: question(knobs), ...limit };
  const reading = readStream({ url, apiKey: `sk-${name}`, body });
  const { status, headers } = await reading.opened;
  if (status === 200) return { reading, jobId: headers.get('x-turnout-job-id') ?? '' };
  await reading.over;
  expect([status, reading.error()]).toEqual([429, 'insufficient_quota']);
  return undefined;
}

/** Reads nearly all of an answer and closes the socket. Returns the job's id, or undefined if the budget refused it. */
async function cut(user: User): Promise<string | undefined> {
  const started = await start(user, `tps=400; stall=${ALMOST_ALL}`);
  if (!started) return undefined;
  const { reading } = started;
  const almostAll = () => reading.text().split(' ').length >= ALMOST_ALL;
  expect(await until(almostAll, { timeoutMs: 30_000, everyMs: 5 })).toBe(true);
  reading.hangUp();
  return started.jobId;
}

async function whole(user: User): Promise<string> {
  const started = await start(user, 'tps=400');
  await started?.reading.over;
  expect(started?.reading.done()).toBe(true);
  return started?.jobId ?? '';
}

const settledCalls = (jobId: string) =>
  callsWhen(jobId, (calls) => calls.length > 0 && calls.every(({ outcome }) => outcome !== 'running'));

/** Cuts streams one after another, each after the previous bill was counted, until the budget refuses the next. */
async function cutUntilRefused(user: User, jobs: string[]): Promise<void> {
  for (;;) {
    const isCounted = (await usageOf(user.name)).jobs === jobs.length;
    const jobId = await cut(user);
    if (jobId !== undefined) jobs.push(jobId);
    else if (isCounted) return;
    else await billed(user.name, jobs.length);
  }
}

const users: User[] = [
  { name: 'limited', limit: { max_tokens: MAX_TOKENS } },
  { name: 'unlimited', limit: {} },
];

describe.each(users)('a user with a budget in dollars whose answers are $name', (user) => {
  test('closes each socket shortly before the end, and is billed for what the provider generated', async () => {
    const jobs = [await whole(user)];
    const atOnce = await Promise.all(Array.from({ length: 12 }, () => cut(user)));
    jobs.push(...atOnce.filter((jobId) => jobId !== undefined));
    expect(jobs.length).toBeLessThan(13);
    await cutUntilRefused(user, jobs);

    const calls = new Map<string, Call[]>();
    for (const jobId of jobs) calls.set(jobId, await settledCalls(jobId));
    const all = [...calls.values()].flat();
    const cutCalls = all.filter(({ outcome }) => outcome === 'aborted');
    const wholeCalls = all.filter(({ outcome }) => outcome === 'completed');
    expect(cutCalls.length).toBeGreaterThanOrEqual(3);
    expect(cutCalls.length + wholeCalls.length).toBe(all.length);

    // Each job separately.
    for (const [jobId, itsCalls] of calls) {
      const usages = (await store.events(jobId)).filter((event) => event.type === 'usage');
      const cost = usages.reduce((sum, event) => sum + (event.cost ?? 0), 0);
      expect(Math.abs(cost - costOf(itsCalls))).toBeLessThanOrEqual(TOLERANCE * costOf(itsCalls));
      expect(cost).toBeGreaterThan(0);
    }

    // The sum of all bills.
    const { reported, estimated } = await billed(user.name, jobs.length);
    expect(reported.cost_usd).toBeCloseTo(costOf(wholeCalls), 9);
    expect(reported.completion_tokens).toBe(wholeCalls.reduce((sum, call) => sum + call.completionTokens, 0));
    expect(reported.prompt_tokens).toBe(wholeCalls.reduce((sum, call) => sum + call.promptTokens, 0));
    expect(Math.abs(estimated.cost_usd - costOf(cutCalls))).toBeLessThanOrEqual(TOLERANCE * costOf(cutCalls));

    say(
      `billed for cut calls: $${estimated.cost_usd.toFixed(6)}; by the ledger: $${costOf(cutCalls).toFixed(6)}`,
    );

    // The budget.
    const longest = Math.max(...all.map((call) => costOf([call])));
    expect(costOf(all)).toBeLessThanOrEqual(BUDGET_USD + longest);
    expect(reported.cost_usd + estimated.cost_usd).toBeGreaterThan(BUDGET_USD / 2);
  });
});
