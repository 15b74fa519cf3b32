import { setTimeout as delay } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { type Logger } from '../log/logger.ts';
import { type Redis } from '../redis/connect.ts';
import { periodically } from '../util/periodically.ts';

/** How full the job Redis is: by its own `maxmemory`, or by a lower limit of ours. */
export interface MemoryWatch {
  /** 0 to 1, of the fullest server; 0 where no limit is known. */
  share(): number;
  start(): Promise<void>;
  close(): Promise<void>;
}

interface MemoryWatchOptions {
  redis: Redis;
  /** Bytes, where the servers themselves have no `maxmemory`. */
  limitBytes: number | undefined;
  log: Logger;
}

const EVERY_MS = 1_000;

export function createMemoryWatch({ redis, limitBytes, log }: MemoryWatchOptions): MemoryWatch {
  let share = 0;
  let warned = false;

  async function look(): Promise<void> {
    const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
    const infos = await Promise.all(servers.map((server) => server.info('memory')));
    share = Math.max(...infos.map((info) => shareIn(info, limitBytes)));
    warnUnlimited(infos);
  }

  function warnUnlimited(infos: readonly string[]): void {
    if (warned || limitBytes !== undefined || infos.every((info) => numberIn(info, 'maxmemory') > 0)) return;
    warned = true;
    log.warn(
      'The job Redis has no maxmemory, so jobs are accepted until the machine has no memory left: set maxmemory in Redis, or REDIS_MAX_BYTES',
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

/** Above it nothing more is routed: what is left is for the answers of the jobs that are. */
const FULL = 0.95;

/** Resolves when there is room for more; rejects with the signal's reason. */
export function roomIn(
  memory: Pick<MemoryWatch, 'share'>,
  log: Logger,
): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    if (memory.share() < FULL) return;
    log.error({ share: memory.share() }, 'The job Redis is full; nothing is routed until there is room');
    while (memory.share() >= FULL) await delay(EVERY_MS, undefined, { signal });
  };
}

/** Redis refuses writes at `maxmemory`; a limit of ours may be lower. */
export function shareIn(info: string, limitBytes: number | undefined): number {
  const used = numberIn(info, 'used_memory');
  const limits = [numberIn(info, 'maxmemory'), limitBytes ?? 0].filter((bytes) => bytes > 0);
  return limits.length === 0 ? 0 : used / Math.min(...limits);
}

function numberIn(info: string, field: string): number {
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
}
