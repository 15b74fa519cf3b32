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

/** Renews these locks, and takes expired ones back. Resolves with the lost locks, whose jobs other workers have taken over. */
export type RenewLocks = (locks: readonly JobLock[]) => Promise<JobLock[]>;

const positions = z.int().array();

/**
 * When Redis is unavailable for longer than a lock's duration, locks expire although their holders are alive. Renewal takes them back
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

/** A member of a sorted set that is valid for `leaseMs` milliseconds after each renewal. */
export interface SlotLease {
  key: string;
  member: string;
  leaseMs: number;
}

/** Renews a lease that was created elsewhere. It does not create a missing lease. */
export function createRenewLease(redis: Redis, { key, member, leaseMs }: SlotLease): () => Promise<void> {
  const renew = defineScript(redis, new URL('scripts/renew-lease.lua', import.meta.url));
  return async () => {
    await renew([key], [member, leaseMs]);
  };
}
