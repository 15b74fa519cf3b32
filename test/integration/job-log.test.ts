import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isTerminal, type JobEvent } from '../../shared/contracts/job-event.ts';
import { newJobId } from '../../shared/platform/ids.ts';
import { TurnoutError } from '../../shared/platform/errors/turnout-error.ts';
import { endUnfenced } from '../../shared/jobs/joblog/ending.ts';
import { createJobLog, type Fence, type JobLog, type NewJob } from '../../shared/jobs/joblog/job-log.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { connectRedis, type Redis } from '../../shared/platform/redis/connect.ts';
import { type JobKeys, jobKeys } from '../../shared/platform/redis/keys.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

const prefix = `t-log-${randomBytes(4).toString('hex')}`;
const keys: JobKeys = jobKeys(prefix);
let redis: Redis;
let log: JobLog;

beforeAll(() => {
  redis = connectRedis(testEnv().REDIS_URL, 'job-log-test', silentLogger);
  log = createJobLog({ redis, keys, retentionMs: 60_000 });
});

afterAll(async () => {
  await removeKeys(redis, `${prefix}:*`);
  await redis.quit();
});

const HOLDER = `${prefix}:live:worker`;
const text = (delta: string): JobEvent => ({ type: 'text', choice: 0, delta });
const accepted: JobEvent = { type: 'accepted', at: 1, model: 'm' };
const routed: JobEvent = {
  type: 'routed',
  at: 1,
  path: 'litellm',
  reason: 'percentage',
  epoch: 0,
  step: 0,
  promptTokens: 10,
};

function newJob(more: Partial<NewJob> = {}): NewJob {
  const jobId = newJobId('', 'user-1');
  const acceptedAt = Date.now();
  const deadlineAt = acceptedAt + 60_000;
  const who = {
    owner: 'user-1',
    userHash: 'abc',
    model: 'm',
    bodyHash: 'h',
    reader: `${prefix}:live:reader`,
  };
  return { jobId, acceptedAt, deadlineAt, graceMs: 0, ...who, ...more };
}

async function admitted(more: Partial<NewJob> = {}): Promise<string> {
  const job = newJob(more);
  await log.admit(job);
  return job.jobId;
}

async function routedJob(): Promise<string> {
  const jobId = await admitted();
  await log.route(jobId, [accepted, routed]);
  return jobId;
}

const attemptOf = (nonce: string) => ({
  nonce,
  path: 'litellm' as const,
  holder: HOLDER,
  deadlineAt: Date.now() + 60_000,
});

async function begun(jobId: string): Promise<{ fence: Fence; lastSequence: number }> {
  const result = await log.begin(jobId, attemptOf(randomBytes(4).toString('hex')));
  if (result.kind !== 'begun') throw new Error(`The attempt did not begin: ${result.kind}`);
  return result;
}

const fail = (jobId: string) =>
  endUnfenced({ jobLog: log, relays: { begin: () => undefined }, log: silentLogger }, jobId, {
    status: 'failed',
    error: new TurnoutError('deadline_exceeded'),
  });

async function typesOf(jobId: string): Promise<string[]> {
  const view = await log.read(jobId, 0);
  return view?.entries.map(({ event }) => event.type) ?? [];
}

describe('admission', () => {
  test('finds the job of the same request with the same key, and distinguishes another body or owner', async () => {
    const job = newJob();
    await expect(log.admit(job)).resolves.toEqual({ kind: 'new' });
    const found = await log.admit({ ...job, bodyHash: 'other' });
    expect(found).toEqual({
      kind: 'exists',
      state: 'admitting',
      createdAt: job.acceptedAt,
      owner: 'user-1',
      bodyHash: 'h',
      lastSequence: 0,
    });
  });

  test('ends in a refusal or a routing, never both', async () => {
    const refused = await admitted();
    await expect(log.refuse(refused)).resolves.toBe('refused');
    await expect(log.route(refused, [accepted, routed])).resolves.toBe('refused');
    const taken = await routedJob();
    await expect(log.refuse(taken)).resolves.toBe('queued');
  });

  test('accepts a refused job again', async () => {
    const job = newJob();
    await log.admit(job);
    await log.refuse(job.jobId);
    await expect(log.admit(job)).resolves.toEqual({ kind: 'new' });
  });

  test('starts no second log for a redelivered message', async () => {
    const jobId = await routedJob();
    await expect(log.route(jobId, [accepted, routed])).resolves.toBe('again');
    await expect(typesOf(jobId)).resolves.toEqual(['accepted', 'routed']);
  });
});

describe('a stored answer', () => {
  const events: JobEvent[] = [accepted, routed, text('A switch.'), { type: 'completed', at: 1 }];
  const serve = (jobId: string) =>
    log.serve(jobId, events, {
      version: 1,
      id: `${jobId}.end`,
      jobId,
      userHash: 'abc',
      model: 'm',
      status: 'completed',
      attempts: 0,
      at: 1,
      ms: { total: 1 },
      usage: [],
    });

  test('is the whole log at once, with its end, its outbox row and its completion hooks', async () => {
    const jobId = await admitted({ hookNames: ['keep'] });
    await expect(serve(jobId)).resolves.toMatchObject({ lastSequence: 4, hookNames: ['keep'] });
    await expect(typesOf(jobId)).resolves.toEqual(['accepted', 'routed', 'text', 'completed']);
    await expect(redis.zscore(keys.open(jobId), jobId)).resolves.toBeNull();
    const rows = await redis.xrange(keys.outbox(jobId), '-', '+');
    expect(rows.filter(([, fields]) => fields[1]?.includes(jobId))).toHaveLength(1);
  });

  test('is not served to a job that is being cancelled, was routed before, or is gone', async () => {
    const cancelled = await admitted();
    await log.cancel(cancelled, 'client');
    for (const jobId of [cancelled, await routedJob(), newJobId('', 'user-1')]) {
      const before = await typesOf(jobId);
      await expect(serve(jobId)).resolves.toBeUndefined();
      await expect(typesOf(jobId)).resolves.toEqual(before);
    }
  });

  test('is served once, and a later cancellation changes nothing', async () => {
    const jobId = await admitted();
    await serve(jobId);
    await expect(serve(jobId)).resolves.toBeUndefined();
    await expect(log.cancel(jobId, 'client')).resolves.toBe('completed');
    await expect(log.route(jobId, [accepted, routed])).resolves.toBe('completed');
    await expect(log.begin(jobId, attemptOf('nonce'))).resolves.toEqual({
      kind: 'over',
      state: 'completed',
    });
    await expect(typesOf(jobId)).resolves.toHaveLength(4);
  });

  test('comes before or after a cancellation, never in between', async () => {
    const jobIds = await Promise.all(Array.from({ length: 50 }, () => admitted()));
    const ends = await Promise.all(
      jobIds.map(async (jobId) => {
        const [served, state] = await Promise.all([serve(jobId), log.cancel(jobId, 'client')]);
        return { served: served !== undefined, state, events: (await typesOf(jobId)).length };
      }),
    );
    for (const end of ends)
      expect([
        { served: true, state: 'completed', events: 4 },
        { served: false, state: 'admitting', events: 0 },
      ]).toContainEqual(end);
  });
});

describe('a fence', () => {
  test('is taken from its previous holder', async () => {
    const jobId = await routedJob();
    const first = await begun(jobId);
    const second = await begun(jobId);
    const late = await log.append(jobId, first.fence, first.lastSequence, [text('late')]);
    expect(late).toEqual({ kind: 'fenced' });
    const own = await log.append(jobId, second.fence, second.lastSequence, [text('a')]);
    expect(own).toMatchObject({ kind: 'appended' });
  });

  test('is the same one when the command is repeated after a lost reply', async () => {
    const jobId = await routedJob();
    const first = await log.begin(jobId, attemptOf('nonce'));
    await expect(log.begin(jobId, attemptOf('nonce'))).resolves.toEqual(first);
  });

  test('applies a repeated append once', async () => {
    const jobId = await routedJob();
    const { fence, lastSequence } = await begun(jobId);
    await log.append(jobId, fence, lastSequence, [text('a'), text('b')]);
    await log.append(jobId, fence, lastSequence, [text('a'), text('b'), text('c')]);
    await expect(typesOf(jobId)).resolves.toEqual(['accepted', 'routed', 'attempt', 'text', 'text', 'text']);
  });

  test('gives readers the same position and time of the attempt as the event in the log', async () => {
    const jobId = await routedJob();
    await begun(jobId);
    const first = await log.read(jobId, 0);
    expect(first?.entries.at(-1)).toMatchObject({
      sequence: first?.lastAttempt?.sequence,
      event: { type: 'attempt', at: first?.lastAttempt?.at },
    });
    await log.begin(jobId, attemptOf('another'));
    const second = await log.read(jobId, 0);
    expect(second?.lastAttempt?.sequence).toBe(second?.lastSequence);
  });

  test('whose log lost its last events reports from where to append again', async () => {
    const jobId = await routedJob();
    const { fence, lastSequence } = await begun(jobId);
    const result = await log.append(jobId, fence, lastSequence + 2, [text('c')]);
    expect(result).toEqual({ kind: 'behind', lastSequence });
  });
});

describe('a cancellation', () => {
  test('is seen by the next attempt, and at the next append', async () => {
    const jobId = await routedJob();
    const { fence, lastSequence } = await begun(jobId);
    await log.cancel(jobId, 'client');
    const appended = await log.append(jobId, fence, lastSequence, [text('a')]);
    expect(appended).toMatchObject({ kind: 'appended', cancel: 'client' });
    await expect(log.begin(jobId, attemptOf('other'))).resolves.toMatchObject({ cancel: 'client' });
  });

  test('starts when the last reader leaves a job to which no client can come back', async () => {
    const [first, second] = [`${prefix}:live:1`, `${prefix}:live:2`];
    const jobId = await admitted({ reader: first });
    await log.read(jobId, 0, second);
    await expect(log.leave(jobId, first)).resolves.toBe('left');
    await expect(log.leave(jobId, second)).resolves.toBe('cancelling');
  });

  test('does not start when a reader leaves a background job, or one that its client may come back to', async () => {
    const reader = `${prefix}:live:1`;
    const background = await admitted({ reader, graceMs: undefined });
    await expect(log.leave(background, reader)).resolves.toBe('left');
    const patient = await admitted({ reader, graceMs: 30_000 });
    await expect(log.leave(patient, reader)).resolves.toBe('left');
  });
});

describe('the end of a job', () => {
  test('removes it from the set of open jobs, and adds one outbox row', async () => {
    const jobId = await routedJob();
    await expect(redis.zscore(keys.open(jobId), jobId)).resolves.not.toBeNull();
    await fail(jobId);
    await expect(redis.zscore(keys.open(jobId), jobId)).resolves.toBeNull();
    const rows = await redis.xrange(keys.outbox(jobId), '-', '+');
    expect(rows.filter(([, fields]) => fields[1]?.includes(jobId))).toHaveLength(1);
  });

  test('without the fence settles the running call once', async () => {
    const jobId = await routedJob();
    const { fence, lastSequence } = await begun(jobId);
    await log.append(jobId, fence, lastSequence, [text('a b c d e f')]);
    await fail(jobId);
    const events = (await log.read(jobId, 0))?.entries.map(({ event }) => event) ?? [];
    const tokens = { prompt_tokens: 10, completion_tokens: 6, total_tokens: 16 };
    const usage = { type: 'usage', attempt: 1, call: 1, source: 'estimated', usage: tokens };
    expect(events.slice(-2)).toMatchObject([usage, { type: 'failed' }]);
    const rows = await redis.xrange(keys.outbox(jobId), '-', '+');
    const view = await log.read(jobId, 0);
    const outcome = rows.map(([, fields]) => fields[1] ?? '').find((json) => json.includes(jobId)) ?? '{}';
    expect(JSON.parse(outcome)).toMatchObject({
      usage: [{ id: `${jobId}.${view?.createdAt ?? 0}.1.1`, source: 'estimated', tokens }],
    });
  });

  test('is rejected if it is based on an outdated view of the log', async () => {
    const jobId = await routedJob();
    const view = await log.read(jobId, 0);
    const { fence, lastSequence } = await begun(jobId);
    await log.append(jobId, fence, lastSequence, [text('a')]);
    const outcome = { version: 1, id: 'x', jobId, userHash: 'abc', model: 'm', status: 'cancelled' } as const;
    const stale = { fence: undefined, expected: view?.lastSequence ?? 0 };
    const rest = { attempts: 0, at: 1, ms: { total: 1 }, usage: [] };
    const result = await log.finish(jobId, stale, [{ type: 'cancelled', at: 1, by: 'client' }], {
      ...outcome,
      ...rest,
    });
    expect(result).toEqual({ kind: 'moved' });
  });
});

type Write = { do: 'append' | 'finish'; by: number };
type Step = { do: 'begin' | 'cancel' | 'end' | 'route' | 'read' } | Write;

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom(
      'begin' as const,
      'cancel' as const,
      'end' as const,
      'route' as const,
      'read' as const,
    ),
  }),
  fc.record({ do: fc.constantFrom('append' as const, 'finish' as const), by: fc.nat(3) }),
);

/** What an attempt knows of its own state. */
interface Attempt {
  fence: Fence;
  expected: number;
  wrote: string[];
}

/** The state of one job's attempts and its reader. */
interface Play {
  jobId: string;
  attempts: Attempt[];
  /** The events received by a reader that always asks for what comes next. */
  seen: JobEvent[];
}

async function take({ jobId, attempts, seen }: Play, next: Step, count: number): Promise<void> {
  switch (next.do) {
    case 'read': {
      const view = await log.read(jobId, seen.length);
      seen.push(...(view?.entries.map(({ event }) => event) ?? []));
      return;
    }
    case 'begin': {
      const result = await log.begin(jobId, attemptOf(`nonce-${count}`));
      if (result.kind === 'begun') attempts.push({ ...result, expected: result.lastSequence, wrote: [] });
      return;
    }
    case 'route':
      await log.route(jobId, [accepted, routed]);
      return;
    case 'cancel':
      await log.cancel(jobId, 'client');
      return;
    case 'end':
      await fail(jobId);
      return;
    case 'append':
    case 'finish':
      await act(jobId, attempts, next, count);
  }
}

async function act(
  jobId: string,
  attempts: Attempt[],
  { do: what, by }: Write,
  count: number,
): Promise<void> {
  const attempt = attempts[by % Math.max(1, attempts.length)];
  if (!attempt) return;
  const holds = attempt === attempts.at(-1);
  const event = text(`${count};`);
  if (what === 'append') {
    const result = await log.append(jobId, attempt.fence, attempt.expected, [event]);
    if (result.kind === 'appended') {
      expect(holds).toBe(true);
      attempt.expected = result.lastSequence;
      attempt.wrote.push(event.type === 'text' ? event.delta : '');
    }
    return;
  }
  const ended = {
    version: 1,
    id: `${jobId}.end`,
    jobId,
    userHash: 'abc',
    model: 'm',
    status: 'completed',
  } as const;
  const outcome = { ...ended, attempts: 1, at: 1, ms: { total: 1 }, usage: [] };
  const finisher = { fence: attempt.fence, expected: attempt.expected };
  const result = await log.finish(jobId, finisher, [{ type: 'completed', at: 1 }], outcome);
  if (result.kind === 'finished') expect(holds).toBe(true);
}

test('any order of appends, fences, readers, cancellations and ends leaves no gap, one terminal event, and no rejected event', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      const jobId = await routedJob();
      const play: Play = { jobId, attempts: [], seen: [] };
      for (const [count, next] of steps.entries()) await take(play, next, count);
      const { attempts, seen } = play;

      const view = await log.read(jobId, 0);
      const events = view?.entries.map(({ event }) => event) ?? [];
      expect(view?.entries.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
      expect(view?.lastSequence).toBe(events.length);
      expect(seen).toEqual(events.slice(0, seen.length));
      const terminals = events.filter(isTerminal);
      expect(terminals.length).toBe(view && ['completed', 'failed'].includes(view.state) ? 1 : 0);
      if (terminals.length === 1) expect(events.at(-1)).toBe(terminals[0]);
      const written = events.map((event) => (event.type === 'text' ? event.delta : '')).join('');
      expect(written).toBe(attempts.flatMap(({ wrote }) => wrote).join(''));
    }),
    { numRuns: 100, seed: 20_261_123 },
  );
});
