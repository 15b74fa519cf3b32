import { setTimeout as delay } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { periodically } from '../../platform/util/periodically.ts';

/**
 * Watches how full the job Redis is: its memory relative to its `maxmemory` or to a lower configured limit, and its disk by the size of its
 * append-only file. Redis exits when its disk is full (`appendfsync always`), so jobs are refused before that.
 */
export interface MemoryWatch {
  /** Usage of the fullest server, from 0 to 1; 0 when no limit is known. */
  share(): number;
  start(): Promise<void>;
  close(): Promise<void>;
}

interface MemoryWatchOptions {
  redis: Redis;
  /** Limit in bytes, for servers without `maxmemory`, or lower than it. */
  limitBytes: number | undefined;
  /** How large the append-only file may become, in bytes; undefined: unknown. */
  diskBytes?: number | undefined;
  log: Logger;
}

const EVERY_MS = 1_000;
/** Above this share, an error is logged, also while there are no requests. */
const NEARLY_FULL = 0.8;

export function createMemoryWatch({ redis, limitBytes, diskBytes, log }: MemoryWatchOptions): MemoryWatch {
  let share = 0;
  let warned = false;
  const trouble = new Set<string>();

  async function look(): Promise<void> {
    const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
    const infos = await Promise.all(servers.map((server) => server.info()));
    const memory = Math.max(...infos.map((info) => shareIn(info, limitBytes)));
    const disk = Math.max(...infos.map((info) => diskShareIn(info, diskBytes)));
    share = Math.max(memory, disk);
    warnUnlimited(infos);
    report('The memory of the job Redis is nearly full', memory > NEARLY_FULL, { share: memory });
    report('The disk of the job Redis is nearly full', disk > NEARLY_FULL, { share: disk });
    const failing = infos.flatMap(failedWrites);
    report('The job Redis cannot write its data to its disk', failing.length > 0, { failing });
  }

  /** Logs a problem once when it begins and once when it is over. */
  function report(what: string, isSo: boolean, details: object): void {
    if (isSo === trouble.has(what)) return;
    if (isSo) {
      trouble.add(what);
      log.error(details, what);
    } else {
      trouble.delete(what);
      log.info(details, `Over: ${what}`);
    }
  }

  function warnUnlimited(infos: readonly string[]): void {
    if (warned || limitBytes !== undefined || infos.every((info) => numberIn(info, 'maxmemory') > 0)) return;
    warned = true;
    log.warn(
      'The job Redis has no maxmemory, so Turnout accepts jobs until the machine runs out of memory: set maxmemory in Redis, or REDIS_MAX_BYTES',
    );
  }

  const onError = (error: unknown) =>
    log.warn({ err: error }, 'Cannot read Redis memory usage; using the last known value');
  const looking = periodically({ everyMs: EVERY_MS, run: look, onError });
  return {
    share: () => share,
    start: async () => {
      await look().catch(onError);
      looking.start();
    },
    close: looking.close,
  };
}

/** Above this share, routing stops. The rest is reserved for the answers of jobs that are routed already. */
const FULL = 0.95;

/** Returns a function that waits until Redis has free capacity. It rejects with the signal's reason. */
export function roomIn(
  memory: Pick<MemoryWatch, 'share'>,
  log: Logger,
): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    if (memory.share() < FULL) return;
    log.error(
      { share: memory.share() },
      'The job Redis is full; routing is paused until it has free capacity',
    );
    while (memory.share() >= FULL) await delay(EVERY_MS, undefined, { signal });
  };
}

/** Memory usage relative to the lower of `maxmemory`, at which Redis refuses writes, and `limitBytes`; 0 when neither is set. */
export function shareIn(info: string, limitBytes: number | undefined): number {
  const used = numberIn(info, 'used_memory');
  const limits = [numberIn(info, 'maxmemory'), limitBytes ?? 0].filter((bytes) => bytes > 0);
  return limits.length === 0 ? 0 : used / Math.min(...limits);
}

/** The append-only file's share of its disk; 0 when the disk's size is unknown. */
export function diskShareIn(info: string, diskBytes: number | undefined): number {
  return diskBytes === undefined ? 0 : numberIn(info, 'aof_current_size') / diskBytes;
}

/** Which kinds of disk writes last failed. Redis reports a failure until the next write of that kind succeeds. */
function failedWrites(info: string): string[] {
  const statuses = ['aof_last_write_status', 'aof_last_bgrewrite_status', 'rdb_last_bgsave_status'];
  return statuses.filter((name) => new RegExp(`^${name}:err`, 'm').test(info));
}

function numberIn(info: string, field: string): number {
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
}
