import { parentPort, workerData } from 'node:worker_threads';
import { createLogger } from '../../platform/log/logger.ts';
import { connectRedisWaiting } from '../../platform/redis/connect.ts';
import { periodically } from '../../platform/util/periodically.ts';
import type { FromLockThread, LockThreadSettings, ToLockThread } from './job-locks.ts';
import { workerTimings } from './names.ts';
import { createRenewLease, createRenewLocks, type JobLock, lockName } from './renew-locks.ts';

/** The thread of `job-locks.ts`. The invariants are described there. */
const { config, service, lease, longestSilenceMs } = workerData as LockThreadSettings;
const log = createLogger(service, config);
const redis = connectRedisWaiting(config.REDIS_URL, `${service}-locks`, log);
const renewLocks = createRenewLocks(redis, config.REDIS_PREFIX);
const renewLease = lease && createRenewLease(redis, lease);
const held = new Map<string, JobLock>();
let heardAt = performance.now();
let silent = false;

parentPort?.on('message', ({ ended, begun }: ToLockThread) => {
  heardAt = performance.now();
  ended.forEach(forget);
  if (begun) held.set(lockName(begun), begun);
});

periodically({
  everyMs: workerTimings.lockRenewTime,
  run: async () => {
    if (isSilent()) return;
    const [lost] = await Promise.all([renewLocks([...held.values()]), renewLease?.()]);
    lost.forEach(forget);
    if (lost.length > 0) tell({ kind: 'lost', locks: lost });
  },
  onError: (error) => log.warn({ err: error }, 'Cannot renew job locks; retrying in 1 s'),
}).start();
tell({ kind: 'ready' });

function tell(message: FromLockThread): void {
  parentPort?.postMessage(message);
}

/** A job may have been lost and fetched again meanwhile; then its lock has another token. */
function forget(lock: JobLock): void {
  if (held.get(lockName(lock))?.token === lock.token) held.delete(lockName(lock));
}

function isSilent(): boolean {
  const is = performance.now() - heardAt > longestSilenceMs;
  if (is && !silent) log.error({ longestSilenceMs }, 'The event loop hangs; job locks are no longer renewed');
  silent = is;
  return is;
}
