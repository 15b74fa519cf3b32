import { cp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { bullPrefix, LLM_QUEUE } from '../../../../shared/jobs/queues/names.ts';
import { type Ground } from '../ground.ts';
import { type Struck } from './strike.ts';

export async function flushScripts({ redis }: Ground): Promise<Struck> {
  const since = Date.now();
  await redis.script('FLUSH', 'SYNC');
  return { since };
}

/** What a Redis that came back without its last writes has: the jobs' records, and no nodes for BullMQ to run. */
export async function loseQueuedJobs({ redis, services }: Ground): Promise<Struck> {
  const since = Date.now();
  const queue = `${bullPrefix(services.prefix)}:${LLM_QUEUE}`;
  const waiting = await redis.lrange(`${queue}:wait`, '0', '-1');
  const preparing = await redis.zrange(`${queue}:waiting-children`, '0', '-1');
  for (const jobId of [...waiting, ...preparing]) {
    await redis.lrem(`${queue}:wait`, 0, jobId);
    await redis.zrem(`${queue}:waiting-children`, jobId);
    await redis.del(`${queue}:${jobId}`, `${queue}:${jobId}:dependencies`);
  }
  return { since };
}

/** What the replica lacks: so much is acknowledged and lost. */
const LAG_MS = 500;

/**
 * A failover to a replica that lags behind: the job Redis comes back with the data that it had a moment before it went.
 * The files are copied while they are written to: a log that only grows has everything up to some moment, as a replica does.
 */
export async function failOver({ system, redisFolder }: Ground): Promise<Struck> {
  const files = join(redisFolder, 'appendonlydir');
  const replica = join(redisFolder, 'replica');
  await copyOf(files, replica);
  await delay(LAG_MS);
  await system.kill('redis');
  await rm(files, { recursive: true });
  await rename(replica, files);
  await system.start('redis');
  return { since: Date.now() };
}

/** Again, where Redis has begun new files meanwhile. */
async function copyOf(files: string, copy: string): Promise<void> {
  const manifest = () => readFile(join(files, 'appendonly.aof.manifest'), 'utf8');
  const before = await manifest();
  await rm(copy, { recursive: true, force: true });
  await cp(files, copy, { recursive: true });
  if ((await manifest()) !== before) await copyOf(files, copy);
}
