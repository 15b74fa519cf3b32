import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Worker } from 'bullmq';
import { randomBytes } from 'node:crypto';
import { newFileId, userDigest } from '../../shared/platform/ids.ts';
import { extractJob, ownerOf } from '../../shared/content/files/extract-job.ts';
import { createExtractQueue, type ExtractQueue } from '../../services/ingress/files/extract-queue.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { bullPrefix, EXTRACT_QUEUE } from '../../shared/jobs/queues/names.ts';
import { createUserTurns } from '../../shared/jobs/queues/user-turns.ts';
import { connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys, scanKeys } from '../harness/scan-keys.ts';

const REDIS_PREFIX = `t-${randomBytes(4).toString('hex')}`;
let redis: Redis;
let queue: ExtractQueue;

beforeAll(() => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'extract-queue-test', silentLogger);
  queue = createExtractQueue({ connection: redis, redisPrefix: REDIS_PREFIX, log: silentLogger });
});

afterAll(async () => {
  await queue.close();
  await removeKeys(redis, `${REDIS_PREFIX}:*`);
  await redis.quit();
});

const content = { kind: 'blob', name: 'files/x/content', sha256: '0'.repeat(64), bytes: 1 } as const;

async function upload(user: string): Promise<void> {
  const fileId = newFileId(user, Date.now());
  await queue.add({ version: 1, fileId, format: 'pdf', content, user: userDigest(user) });
}

/** Reads one file after another, and returns their users. */
async function read(count: number): Promise<string[]> {
  const names = new Map(['ann', 'ben'].map((name) => [userDigest(name), name]));
  const turns = createUserTurns(redis, REDIS_PREFIX, EXTRACT_QUEUE);
  const owners: string[] = [];
  const worker = new Worker(
    EXTRACT_QUEUE,
    async ({ data }) => {
      const job = extractJob.parse(data);
      await turns.leave(ownerOf(job), job.fileId);
      owners.push(names.get(ownerOf(job)) ?? 'nobody');
    },
    { connection: redis, prefix: bullPrefix(REDIS_PREFIX), concurrency: 1 },
  );
  expect(await until(() => owners.length >= count, { timeoutMs: 20_000, everyMs: 10 })).toBe(true);
  await worker.close();
  return owners;
}

test('users take turns: many uploads of one user wait behind the first upload of another', async () => {
  for (let count = 0; count < 4; count += 1) await upload('ann');
  await upload('ben');
  expect(await read(5)).toEqual(['ann', 'ben', 'ann', 'ann', 'ann']);
}, 60_000);

test('a read file no longer counts, and leaves no keys behind', async () => {
  for (let count = 0; count < 3; count += 1) await upload('ann');
  await read(3);
  const left: string[] = [];
  for await (const page of scanKeys(redis, `${REDIS_PREFIX}:*-turns:*`)) left.push(...page);
  expect(left).toEqual([]);
}, 60_000);
