import { z } from 'zod';
import { type Redis } from '../../shared/platform/redis/connect.ts';

const entries = z.array(z.tuple([z.int(), z.int(), z.int(), z.array(z.string())]).rest(z.unknown()));

/** Redis tells of each command from now on that takes longer than so many microseconds. */
export async function startSlowLog(redis: Redis, slowerThanUs: number): Promise<void> {
  await redis.config('SET', 'slowlog-max-len', 100_000);
  await redis.config('SET', 'slowlog-log-slower-than', slowerThanUs);
  await redis.slowlog('RESET');
}

/** Milliseconds that the longest run of a script took since then; the least that is told where none took so long. */
export async function longestScript(redis: Redis, slowerThanUs: number): Promise<number> {
  const told = entries.parse(await redis.slowlog('GET', 100_000));
  const scripts = told.filter(([, , , [command = '']]) => /^eval/i.test(command)).map(([, , us]) => us);
  await redis.config('SET', 'slowlog-log-slower-than', -1);
  return Math.max(slowerThanUs, ...scripts) / 1_000;
}
