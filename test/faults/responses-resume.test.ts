import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { generator } from '../upstream/core/random.ts';
import { type Fleet, say, startFleet } from './support/fleet.ts';
import { readResponse, type ResponseReading } from './support/response-reader.ts';
import { ask, undisturbed } from './support/simulator.ts';

/** Processes start and die here, and a dead worker's lock lives for up to 6 s. */
jest.setTimeout(90_000);

const JOBS = 10;
const READERS = 25;
/** About as many events as a response of this length has. */
const EVENTS = 80;
const KNOBS = 'tokens=90; tps=20';
const random = generator(20_261_125);

let fleet: Fleet;
/** Where readers connect to now. */
let ingress: () => string;

beforeAll(async () => {
  fleet = await startFleet({ LOG_RETENTION_MS: '60000' });
  await fleet.services.start('ingress', 'ingress-2');
  ingress = () => fleet.services.url;
}, 90_000);

afterAll(() => fleet.stop(), 60_000);

interface Job {
  id: string;
  expected: string;
}

async function start(question: string): Promise<Job> {
  const messages = ask(question, KNOBS);
  const response = await call('POST', '', { model: 'turnout-sim', background: true, input: messages });
  const expected = await undisturbed({ model: 'turnout-sim', messages });
  return { id: response.id, expected };
}

interface Body {
  id: string;
  status: string;
  output: { content?: { text: string }[] }[];
}

async function call(method: string, path: string, body?: object): Promise<Body> {
  const response = await fetch(`${ingress()}/v1/responses${path}`, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${testEnv().TURNOUT_API_KEY}` },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return (await response.json()) as Body;
}

const textOf = ({ output }: Body) =>
  output.flatMap(({ content }) => content?.map(({ text }) => text) ?? []).join('');

interface Reader {
  job: Job;
  reading: ResponseReading;
  over: Promise<void>;
}

/** Of each job so many readers, each with one drop at a random event. */
function readAll(jobs: readonly Job[]): Reader[] {
  return jobs.flatMap((job) =>
    Array.from({ length: READERS }, () => {
      const drops = [1 + Math.floor(random() * EVENTS)];
      const options = { url: () => ingress(), apiKey: testEnv().TURNOUT_API_KEY, responseId: job.id, drops };
      return { job, ...readResponse(options) };
    }),
  );
}

const startAll = (what: string) =>
  Promise.all(Array.from({ length: JOBS }, (_, n) => start(`${what} number ${n}: where does the line end?`)));

/** Every answer is shown in part, and none is at its end. */
async function midway(readers: readonly Reader[]): Promise<void> {
  const far = () => readers.every(({ reading }) => reading.numbers.length >= 12);
  if (!(await until(far, { timeoutMs: 30_000, everyMs: 10 }))) throw new Error('the answers did not begin');
  expect(readers.every(({ reading }) => reading.end === 'response.output_text.delta')).toBe(true);
}

async function expectExact(readers: readonly Reader[], what: string): Promise<void> {
  await Promise.all(readers.map(({ over }) => over));
  const stored = new Map<string, Body>();
  for (const { job } of readers) if (!stored.has(job.id)) stored.set(job.id, await call('GET', `/${job.id}`));
  for (const { job, reading } of readers) {
    const body = stored.get(job.id);
    expect(body?.status).toBe('completed');
    expect(reading.text).toBe(body && textOf(body));
    expect(reading.text).toBe(job.expected);
    expect(reading.numbers).toEqual(reading.numbers.map((_number, at) => at));
    expect(reading.end).toBe('response.completed');
  }
  const sum = (count: (reading: ResponseReading) => number) =>
    readers.reduce((total, { reading }) => total + count(reading), 0);
  const dropped = sum((reading) => reading.dropped);
  say(
    `${what}: ${readers.length} readers of ${JOBS} responses, ${dropped} dropped, ${sum(({ broken }) => broken)} broken`,
  );
  expect(dropped).toBe(readers.length);
}

test('250 readers of live responses drop and go on exactly', async () => {
  await expectExact(readAll(await startAll('Live')), 'live');
});

test('250 readers of finished responses drop and go on exactly', async () => {
  const jobs = await startAll('Finished');
  const done = async () => {
    const bodies = await Promise.all(jobs.map(({ id }) => call('GET', `/${id}`)));
    return bodies.every(({ status }) => status === 'completed');
  };
  expect(await until(done, { timeoutMs: 60_000, everyMs: 200 })).toBe(true);
  await expectExact(readAll(jobs), 'finished');
});

test('250 readers go on exactly when the worker is killed that answers them', async () => {
  const readers = readAll(await startAll('Killed worker'));
  await midway(readers);
  await fleet.services.kill('llm-worker');
  await fleet.services.start('llm-worker');
  await expectExact(readers, 'killed llm-worker');
});

test('250 readers go on exactly at another ingress when theirs is killed', async () => {
  const readers = readAll(await startAll('Killed ingress'));
  await midway(readers);
  ingress = () => fleet.services.urlOf('ingress-2');
  await fleet.services.kill('ingress');
  await expectExact(readers, 'killed ingress');
  expect(readers.filter(({ reading }) => reading.broken > 0).length).toBeGreaterThan(READERS);
});
