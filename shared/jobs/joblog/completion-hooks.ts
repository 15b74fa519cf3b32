import { Gauge, type Registry } from 'prom-client';
import pLimit from 'p-limit';
import { z } from 'zod';
import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { type HookKeys, type JobKeys } from '../../platform/redis/keys.ts';
import { defineScript } from '../../platform/redis/script.ts';
import { periodically } from '../../platform/util/periodically.ts';
import { backoffMs } from '../../platform/util/retrying.ts';
import { knownHookName, type HookHandlers } from '../../contracts/hook-names.ts';
import { type JobLog } from './job-log.ts';

/**
 * Runs the completion hooks of ended jobs (`hook-names.ts`). Hooks wait in their own set, so a failing hook delays neither an outcome nor
 * another job's hooks.
 *
 *   in the outbox row -> leased (a process runs them) -> done | waiting (with backoff) -> leased
 *
 * When a lease expires without a result, another process takes the hooks. A hook that this version does not know waits for a process that
 * does.
 */
export interface CompletionHooks {
  /** Splits the row from its hooks and leases the hooks to this process. Returns the new row's id; '' when the row is gone. */
  take(jobId: string, row: string): Promise<string>;
  /** Runs hooks that this process has leased. Never rejects: failed hooks are retried with backoff. */
  run(jobId: string, hookNames: readonly string[], failedBefore?: number): Promise<void>;
  /** How many jobs wait for hooks, and how long the oldest has waited; milliseconds. */
  waiting(): Promise<{ jobs: number; oldestMs: number }>;
  start(): void;
  close(): Promise<void>;
}

interface CompletionHooksOptions {
  redis: Redis;
  keys: JobKeys;
  jobLog: Pick<JobLog, 'settle'>;
  handlers: HookHandlers;
  log: Logger;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

const LEASE_MS = 60_000;
const SWEEP_MS = 2_000;
const BACKOFF = { baseMs: 2_000, maxMs: 300_000 };
const CLAIMED_OF_BUCKET = 20;
const AT_ONCE = 16;
/** Failing hooks are logged at most this often. */
const WARN_EVERY_MS = 60_000;

const claims = z.array(z.string());
const script = (name: string) => new URL(`./scripts/${name}.lua`, import.meta.url);

export function createCompletionHooks(options: CompletionHooksOptions): CompletionHooks {
  const { redis, keys, jobLog, handlers, log, now = Date.now } = options;
  const split = defineScript(redis, script('split'));
  const claim = defineScript(redis, script('claim-hooks'));
  const release = defineScript(redis, script('release-hooks'));
  const limit = pLimit(AT_ONCE);
  let warnedAt = 0;
  let failure: unknown;

  async function run(jobId: string, hookNames: readonly string[], failedBefore = 0): Promise<void> {
    const left: string[] = [];
    await Promise.all(
      hookNames.map(async (name) => {
        try {
          await handlers[knownHookName.parse(name)](jobId);
        } catch (error) {
          failure = error;
          left.push(name);
        }
      }),
    );
    try {
      if (left.length === 0) await jobLog.settle(jobId);
      const failed = failedBefore + 1;
      const turn = now() + Math.ceil(BACKOFF.baseMs / 2 + backoffMs(failed, BACKOFF));
      const { due, since, owed } = keys.hooks(jobId);
      await release([due, since, owed], [jobId, left.join(' '), failed, turn]);
    } catch (error) {
      failure = error; // the lease expires, and another process takes the hooks
    }
    await warn();
  }

  /** The buckets that have hooks which are due. At rest there are none, and this is all that a sweep costs. */
  async function dueBuckets(): Promise<HookKeys[]> {
    const buckets = keys.allHooks();
    const found = await Promise.all(
      buckets.map(({ due }) => redis.zrangebyscore(due, '-inf', now(), 'LIMIT', 0, 1)),
    );
    return buckets.filter((_, bucket) => found[bucket]?.length);
  }

  async function sweep(): Promise<void> {
    for (const { due, owed } of await dueBuckets()) {
      const found = claims.parse(await claim([due, owed], [now(), now() + LEASE_MS, CLAIMED_OF_BUCKET]));
      const jobs = found.flatMap((jobId, at) => (at % 2 === 0 ? [{ jobId, text: found[at + 1] ?? '' }] : []));
      await Promise.all(
        jobs.map(({ jobId, text }) => {
          const [failed = '0', ...hookNames] = text.split(' ').filter((word) => word !== '');
          return limit(() => run(jobId, hookNames, Number(failed)));
        }),
      );
    }
  }

  async function waiting(): Promise<{ jobs: number; oldestMs: number }> {
    const of = async ({ since }: { since: string }) => {
      const [count, oldest] = await Promise.all([
        redis.zcard(since),
        redis.zrange(since, '0', '0', 'WITHSCORES'),
      ]);
      return { count, oldestMs: oldest[1] === undefined ? 0 : now() - Number(oldest[1]) };
    };
    const buckets = await Promise.all(keys.allHooks().map(of));
    return {
      jobs: buckets.reduce((sum, { count }) => sum + count, 0),
      oldestMs: Math.max(0, ...buckets.map(({ oldestMs }) => oldestMs)),
    };
  }

  async function warn(): Promise<void> {
    if (failure === undefined || now() - warnedAt < WARN_EVERY_MS) return;
    warnedAt = now();
    const err = failure;
    failure = undefined;
    const figures = await waiting().catch(() => undefined);
    log.warn({ err, ...figures }, 'Completion hooks failed; retrying with backoff');
  }

  const work = periodically({
    everyMs: SWEEP_MS,
    run: sweep,
    onError: (error) => log.warn({ err: error }, 'Cannot take completion hooks; retrying in 2 s'),
  });
  return {
    take: async (jobId, row) => {
      const { due, since, owed } = keys.hooks(jobId);
      const args = [row, jobId, now(), now() + LEASE_MS];
      return z.string().parse(await split([keys.outbox(jobId), due, since, owed], args));
    },
    run,
    waiting,
    start: work.start,
    close: work.close,
  };
}

/** Registers the gauges of waiting completion hooks. */
export function showWaitingHooks(registry: Registry, hooks: Pick<CompletionHooks, 'waiting'>): void {
  const jobs = new Gauge({
    name: 'turnout_completion_hooks_waiting',
    help: 'Ended jobs whose completion hooks have not all run. All processes report the same value.',
    registers: [registry],
    collect: async () => {
      const figures = await hooks.waiting().catch(() => undefined);
      if (!figures) return; // Redis is unavailable: keep the last values
      jobs.set(figures.jobs);
      oldest.set(figures.oldestMs / 1_000);
    },
  });
  const oldest = new Gauge({
    name: 'turnout_completion_hooks_oldest_seconds',
    help: 'Age of the oldest waiting completion hooks, in seconds.',
    registers: [registry],
  });
}
