import { setTimeout as delay } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { periodically } from '../../platform/util/periodically.ts';

/**
 * How full the job Redis is: its memory by its own `maxmemory`, or by a lower limit of ours; its disk by the size of its append-only file.
 * A Redis whose disk is full ends itself (`appendfsync always`), so jobs are refused before.
 */
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
  /** Bytes that the append-only file may have; undefined: not known. */
  diskBytes?: number | undefined;
  log: Logger;
}

const EVERY_MS = 1_000;
/** Operators hear of it, also while nobody asks for a job. */
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
    tell('The memory of the job Redis is nearly full', memory > NEARLY_FULL, { share: memory });
    tell('The disk of the job Redis is nearly full', disk > NEARLY_FULL, { share: disk });
    const failing = infos.flatMap(failedWrites);
    tell('The job Redis cannot write its data to its disk', failing.length > 0, { failing });
  }

  /** When it begins, and when it is over. */
  function tell(what: string, isSo: boolean, details: object): void {
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

/** The append-only file's share of its disk; 0 where that is not known. */
export function diskShareIn(info: string, diskBytes: number | undefined): number {
  return diskBytes === undefined ? 0 : numberIn(info, 'aof_current_size') / diskBytes;
}

/** Which of Redis's last writes to its disk failed: it says so for as long as the next one has not succeeded. */
function failedWrites(info: string): string[] {
  const statuses = ['aof_last_write_status', 'aof_last_bgrewrite_status', 'rdb_last_bgsave_status'];
  return statuses.filter((name) => new RegExp(`^${name}:err`, 'm').test(info));
}

function numberIn(info: string, field: string): number {
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
}
