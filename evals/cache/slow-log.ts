import { z } from 'zod';
import { type Redis } from '../../shared/platform/redis/connect.ts';

const entries = z.array(z.tuple([z.int(), z.int(), z.int(), z.array(z.string())]).rest(z.unknown()));

/** Makes Redis log every command that takes longer than `slowerThanUs` microseconds. */
export async function startSlowLog(redis: Redis, slowerThanUs: number): Promise<void> {
  await redis.config('SET', 'slowlog-max-len', 100_000);
  await redis.config('SET', 'slowlog-log-slower-than', slowerThanUs);
  await redis.slowlog('RESET');
}

/** The duration of the longest script run since then, in milliseconds; `slowerThanUs` if none was longer. Stops the slow log. */
export async function longestScript(redis: Redis, slowerThanUs: number): Promise<number> {
  const told = entries.parse(await redis.slowlog('GET', 100_000));
  const scripts = told.filter(([, , , [command = '']]) => /^eval/i.test(command)).map(([, , us]) => us);
  await redis.config('SET', 'slowlog-log-slower-than', -1);
  return Math.max(slowerThanUs, ...scripts) / 1_000;
}
