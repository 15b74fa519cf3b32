import { type Response as ResponseBody } from 'openai/resources/responses/responses';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { generator } from '../upstream/core/random.ts';
import { type Crowd, gather, gatherAgain } from './support/crowd.ts';
import { type Fleet, say, startFleet } from './support/fleet.ts';
import { openResponseStream } from './support/response-reading.ts';
import { callsOf } from './support/simulator.ts';

/** Starting processes takes time, and a dead worker's lock lasts up to 6 s. */
jest.setTimeout(90_000);

const RESPONSES = 10;
const READERS = 25;
const TOKENS = 50;
const random = generator(20_261_125);
const below = (limit: number) => Math.floor(random() * limit);
/** One to three event numbers, the same in each run. */
const drops = () =>
  Array.from({ length: 1 + below(3) }, () => below(TOKENS)).toSorted((one, other) => one - other);

const LEAST_DROPS = 250;

async function responseOf(fleet: Fleet, id: string): Promise<ResponseBody> {
  const headers = { authorization: `Bearer ${testEnv().TURNOUT_API_KEY}` };
  const response = await fetch(`${fleet.services.url}/v1/responses/${id}`, { headers });
  return (await response.json()) as ResponseBody;
}

function textOf({ output }: ResponseBody): string {
  const parts = output.flatMap((item) => (item.type === 'message' ? item.content : []));
  return parts.map((part) => (part.type === 'output_text' ? part.text : '')).join('');
}

/** Waits for every reader, and compares each with the stored response and with the model's answer without faults. */
async function expectExact(fleet: Fleet, { responses, readers }: Crowd, what: string): Promise<void> {
  await Promise.all(readers.map(({ over }) => over));
  for (const response of responses) {
    const stored = await responseOf(fleet, response.id);
    expect(stored.status).toBe('completed');
    expect(textOf(stored)).toBe(await response.expected);
    const length = response.readers[0]?.reading.numbers.length;
    for (const { reading } of response.readers) {
      expect(reading.complaints).toEqual([]);
      expect(reading.text).toBe(textOf(stored));
      expect(reading.numbers).toEqual(Array.from({ length: length ?? 0 }, (_, number) => number));
    }
  }
  const sum = (of: 'dropped' | 'broken' | 'errors') =>
    readers.reduce((total, { reading }) => total + reading[of], 0);
  const [dropped, broken, errors] = [sum('dropped'), sum('broken'), sum('errors')];
  say(
    `${what}: ${readers.length} readers hung up ${dropped} times, lost ${broken} connections, got ${errors} error events`,
  );
  expect(dropped).toBeGreaterThanOrEqual(LEAST_DROPS);
}

/** Waits until some reader has seen this many events of each response. */
async function begun({ responses }: Crowd, events: number): Promise<void> {
  const seen = ({ readers }: Crowd['responses'][number]) =>
    readers.some(({ reading }) => reading.numbers.length > events);
  expect(await until(() => responses.every(seen), { timeoutMs: 30_000, everyMs: 10 })).toBe(true);
}

describe('a reader that hangs up at any event and resumes after the last one it saw gets every event once', () => {
  let fleet: Fleet;
  let urls: string[];
  let live: Crowd;
  const crowd = (tokensPerSecond: number) =>
    gather({
      urls,
      responses: RESPONSES,
      readersOfEach: READERS,
      knobs: `tokens=${TOKENS}; tps=${tokensPerSecond}`,
      drops,
    });

  beforeAll(async () => {
    fleet = await startFleet();
    await fleet.services.start('ingress', 'ingress-2', { SHUTDOWN_TIMEOUT_MS: '1500' });
    urls = [fleet.services.url, fleet.services.urlOf('ingress-2')];
  });

  afterAll(() => fleet.stop());

  test('of a response in progress', async () => {
    live = await crowd(15);
    await expectExact(fleet, live, 'live');
  });

  test('of a response that has ended', async () => {
    const finished = gatherAgain(live, { urls, readersOfEach: READERS, drops });
    await expectExact(fleet, finished, 'finished');
  });

  test('of a response whose worker is killed meanwhile', async () => {
    const running = await crowd(15);
    await begun(running, TOKENS / 4);
    await fleet.services.kill('llm-worker');
    await fleet.services.start('llm-worker');
    await expectExact(fleet, running, 'killed worker');
    const calls = await Promise.all(running.responses.map(({ jobId }) => callsOf(jobId)));
    expect(calls.every(({ length }) => length === 2)).toBe(true);
  });

  test('of a response through an ingress that is killed and another that stops', async () => {
    const running = await crowd(6);
    await begun(running, TOKENS / 4);
    await fleet.services.kill('ingress');
    await fleet.services.start('ingress');
    await fleet.services.kill('ingress-2', 'SIGTERM');
    await expectExact(fleet, running, 'killed ingress');
    const readings = running.readers.map(({ reading }) => reading);
    expect(readings.some(({ broken }) => broken > 0)).toBe(true);
    expect(readings.some(({ errors }) => errors > 0)).toBe(true);
  });
});

describe('after the log of a response has expired', () => {
  test('its stream is byte-identical, from any event on', async () => {
    const fleet = await startFleet({ LOG_RETENTION_MS: '2000' });
    try {
      const { url } = fleet.services;
      const quick = { urls: [url], readersOfEach: 1, knobs: `tokens=${TOKENS}; tps=100`, drops: () => [] };
      const { responses, readers } = await gather({ ...quick, responses: 3 });
      await Promise.all(readers.map(({ over }) => over));
      const apiKey = testEnv().TURNOUT_API_KEY;
      const cursors = [undefined, ...Array.from({ length: 20 }, () => below(TOKENS))];
      const streams = () =>
        Promise.all(
          responses.flatMap(({ id: responseId }) =>
            cursors.map(async (after) =>
              (await openResponseStream(url, { apiKey, responseId, after })).text(),
            ),
          ),
        );
      const before = await streams();
      await Promise.all(responses.map(({ jobId }) => expired(fleet, jobId)));
      expect(await streams()).toEqual(before);
      expect(before[0]).toContain('event: response.completed');
      say(`kept: ${before.length} streams compared`);
    } finally {
      await fleet.stop();
    }
  });
});

async function expired({ store }: Fleet, jobId: string): Promise<void> {
  const gone = await until(async () => (await store.view(jobId)) === undefined, { timeoutMs: 30_000 });
  expect(gone).toBe(true);
}
