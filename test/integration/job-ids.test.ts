import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { newJobId } from '../../shared/platform/ids.ts';
import { TurnoutError } from '../../shared/platform/errors/turnout-error.ts';
import { endUnfenced } from '../../shared/jobs/joblog/ending.ts';
import { createJobLog, type JobLog, type NewAttempt, type NewJob } from '../../shared/jobs/joblog/job-log.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { connectRedis, type Redis } from '../../shared/platform/redis/connect.ts';
import { jobKeys } from '../../shared/platform/redis/keys.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

const prefix = `t-ids-${randomBytes(4).toString('hex')}`;
const keys = jobKeys(prefix);
let redis: Redis;
let log: JobLog;

beforeAll(() => {
  redis = connectRedis(testEnv().REDIS_URL, 'job-ids-test', silentLogger);
  log = createJobLog({ redis, keys, retentionMs: 60_000 });
});

afterAll(async () => {
  await removeKeys(redis, `${prefix}:*`);
  await redis.quit();
});

const accepted: JobEvent = { type: 'accepted', at: 1, model: 'm' };
const decision = { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 } as const;
const routed: JobEvent = { type: 'routed', at: 1, ...decision, promptTokens: 10 };

async function admitted(more: Partial<NewJob> = {}): Promise<string> {
  const jobId = newJobId('', 'user-1');
  const acceptedAt = Date.now();
  const who = { owner: 'user-1', userHash: 'abc', model: 'm', bodyHash: 'h', reader: '' };
  const deadlineAt = acceptedAt + 60_000;
  await log.admit({ jobId, acceptedAt, deadlineAt, graceMs: undefined, ...who, ...more });
  return jobId;
}

const attemptOf = (nonce: string): NewAttempt => ({
  nonce,
  path: 'litellm',
  holder: `${prefix}:live:worker`,
  deadlineAt: Date.now() + 60_000,
});

async function typesOf(jobId: string): Promise<string[]> {
  const view = await log.read(jobId, 0);
  return view?.entries.map(({ event }) => event.type) ?? [];
}

describe('a job with the id of an earlier job', () => {
  test('is neither routed nor begun by messages of the earlier job', async () => {
    const acceptedAt = Date.now();
    const jobId = await admitted({ acceptedAt });
    const before = acceptedAt - 1;
    await expect(log.route(jobId, [accepted, routed], before)).resolves.toBe('earlier');
    await expect(log.route(jobId, [accepted, routed], acceptedAt + 1)).resolves.toBe('routed');
    await expect(log.route(jobId, [accepted, routed], before)).resolves.toBe('earlier');
    const late = log.begin(jobId, { ...attemptOf('late'), deadlineAt: before });
    await expect(late).resolves.toEqual({ kind: 'earlier' });
    await expect(typesOf(jobId)).resolves.toEqual(['accepted', 'routed']);
    await expect(log.begin(jobId, attemptOf('own'))).resolves.toMatchObject({ kind: 'begun' });
  });

  test('keeps its record when the earlier job is settled late', async () => {
    const jobId = await admitted();
    await log.route(jobId, [accepted, routed]);
    const outbox = keys.outbox(jobId);
    const row = (await redis.xadd(outbox, '*', 'outcome', '{}', 'duties', '')) ?? '';
    await log.published(jobId, row);
    await expect(redis.pttl(keys.record(jobId))).resolves.toBeGreaterThan(60_000);
    await expect(redis.xrange(outbox, row, row)).resolves.toEqual([]);
  });
});

describe('an ended job', () => {
  const ended = async (hookNames: NewJob['hookNames'] = []) => {
    const jobId = await admitted({ hookNames });
    const ending = { status: 'failed', error: new TurnoutError('deadline_exceeded') } as const;
    const relays = { begin: () => undefined };
    const result = await endUnfenced({ jobLog: log, relays, log: silentLogger }, jobId, ending);
    if (result.kind !== 'finished') throw new Error(result.kind);
    return { jobId, row: result.outboxRow };
  };
  const leftOf = async (jobId: string) => redis.pttl(keys.record(jobId));

  test('keeps its record until its outcome is published, and from then on for the retention time', async () => {
    const { jobId, row } = await ended();
    expect(await leftOf(jobId)).toBeGreaterThan(60_000);
    await log.published(jobId, row);
    expect(await leftOf(jobId)).toBeLessThanOrEqual(60_000);
    await log.published(jobId, row); // as another process that had read the row before
  });

  test('keeps its record until its hooks have run as well, in either order', async () => {
    const [one, other] = [await ended(['keep']), await ended(['keep'])];
    await log.published(one.jobId, one.row);
    await log.settle(other.jobId);
    expect(await leftOf(one.jobId)).toBeGreaterThan(60_000);
    expect(await leftOf(other.jobId)).toBeGreaterThan(60_000);
    await log.settle(one.jobId);
    await log.published(other.jobId, other.row);
    expect(await leftOf(one.jobId)).toBeLessThanOrEqual(60_000);
    expect(await leftOf(other.jobId)).toBeLessThanOrEqual(60_000);
  });

  test('that was deleted is unreadable at once, and its id stays taken until its outcome is published', async () => {
    const { jobId, row } = await ended();
    await expect(log.delete(jobId)).resolves.toBe('deleted');
    await expect(log.read(jobId, 0)).resolves.toBeUndefined();
    expect(await leftOf(jobId)).toBeGreaterThan(60_000);
    await log.published(jobId, row);
    expect(await leftOf(jobId)).toBeLessThanOrEqual(60_000);
  });
});
