import { z } from 'zod';
import { type Redis } from '../../platform/redis/connect.ts';
import { defineScript } from '../../platform/redis/script.ts';
import { bullPrefix, workerTimings } from './names.ts';

/** The BullMQ lock of a job that this process runs. */
export interface JobLock {
  queue: string;
  jobId: string;
  token: string;
}

export function lockName({ queue, jobId }: JobLock): string {
  return `${queue}:${jobId}`;
}

/** Renews these locks, and takes those back that ran out. Resolves with the lost ones: other workers have their jobs. */
export type RenewLocks = (locks: readonly JobLock[]) => Promise<JobLock[]>;

const positions = z.int().array();

/**
 * While Redis is away for longer than a lock lives, locks run out although their holders live; so they are taken back
 * (`scripts/renew-locks.lua`).
 */
export function createRenewLocks(redis: Redis, redisPrefix: string): RenewLocks {
  const renew = defineScript(redis, new URL('scripts/renew-locks.lua', import.meta.url));
  const keys = [bullPrefix(redisPrefix)];
  return async (locks) => {
    if (locks.length === 0) return [];
    const args = locks.flatMap(({ queue, jobId, token }) => [queue, jobId, token]);
    const lost = positions.parse(await renew(keys, [workerTimings.lockDuration, ...args]));
    return lost.flatMap((at) => locks[at] ?? []);
  };
}

/** A member of a sorted set that lives for that long after each renewal. Milliseconds. */
export interface SlotLease {
  key: string;
  member: string;
  leaseMs: number;
}

/** Renews a lease that was taken elsewhere; one that is not there any more stays away. */
export function createRenewLease(redis: Redis, { key, member, leaseMs }: SlotLease): () => Promise<void> {
  const renew = defineScript(redis, new URL('scripts/renew-lease.lua', import.meta.url));
  return async () => {
    await renew([key], [member, leaseMs]);
  };
}
