import { parentPort, workerData } from 'node:worker_threads';
import { createLogger } from '../../platform/log/logger.ts';
import { connectRedisWaiting } from '../../platform/redis/connect.ts';
import { periodically } from '../../platform/util/periodically.ts';
import type { FromLockThread, LockThreadSettings } from './job-locks.ts';
import { readLocks } from './lock-table.ts';
import { workerTimings } from './names.ts';
import { createRenewLease, createRenewLocks, type JobLock, lockName } from './renew-locks.ts';

/** The thread of `job-locks.ts`. The invariants are described there. */
const { config, service, lease, longestSilenceMs, heartbeat, pages } = workerData as LockThreadSettings;
const log = createLogger(service, config);
const redis = connectRedisWaiting(config.REDIS_URL, `${service}-locks`, log);
const renewLocks = createRenewLocks(redis, config.REDIS_PREFIX);
const renewLease = lease && createRenewLease(redis, lease);
/** Locks that were reported as lost, while the main thread still lists them. */
let reported = new Set<string>();
let lastBeat = -1;
let heardAt = performance.now();
let silent = false;

parentPort?.on('message', (page: SharedArrayBuffer) => pages.push(page));

periodically({
  everyMs: workerTimings.lockRenewTime,
  run: async () => {
    if (isSilent()) return;
    const held = pages.flatMap(readLocks);
    reported = new Set(held.map(identityOf).filter((lock) => reported.has(lock)));
    const renewed = renewLocks(held.filter((lock) => !reported.has(identityOf(lock))));
    const [lost] = await Promise.all([renewed, renewLease?.()]);
    if (lost.length === 0) return;
    for (const lock of lost) reported.add(identityOf(lock));
    post({ kind: 'lost', locks: lost });
  },
  onError: (error) => log.warn({ err: error }, 'Cannot renew job locks; retrying in 1 s'),
}).start();
post({ kind: 'ready' });

function post(message: FromLockThread): void {
  parentPort?.postMessage(message);
}

/** A job may have been lost and fetched again meanwhile; then its lock has another token. */
function identityOf(lock: JobLock): string {
  return `${lockName(lock)} ${lock.token}`;
}

function isSilent(): boolean {
  const beat = Atomics.load(heartbeat, 0);
  if (beat !== lastBeat) heardAt = performance.now();
  lastBeat = beat;
  const is = performance.now() - heardAt > longestSilenceMs;
  if (is && !silent) log.error({ longestSilenceMs }, 'The event loop hangs; job locks are no longer renewed');
  silent = is;
  return is;
}
