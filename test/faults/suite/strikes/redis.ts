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

/** The state of a Redis that lost its last writes: the job records exist, but BullMQ has no nodes to run for them. */
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

/** The replica's lag: writes acknowledged in this time are lost. */
const LAG_MS = 500;

/**
 * A failover to a lagging replica: the job Redis comes back with the data it had shortly before it was killed. The files are copied while
 * Redis writes them. Because the log is append-only, the copy has everything up to some moment, as a replica does.
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

/** Copies again if Redis has started new files in the meantime. */
async function copyOf(files: string, copy: string): Promise<void> {
  const manifest = () => readFile(join(files, 'appendonly.aof.manifest'), 'utf8');
  const before = await manifest();
  await rm(copy, { recursive: true, force: true });
  await cp(files, copy, { recursive: true });
  if ((await manifest()) !== before) await copyOf(files, copy);
}
