import { Queue, Worker } from 'bullmq';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { connectRedisWaiting } from '../../shared/platform/redis/connect.ts';
import type { Hop } from './paced.ts';

/** From adding a job to the call of its processor. */
export async function openBullHop(
  options: { redisUrl: string; prefix: string },
  arrived: (number: number) => void,
): Promise<Hop> {
  const connections = ['queue', 'worker'].map((name) =>
    connectRedisWaiting(options.redisUrl, `bench-${name}`, silentLogger),
  );
  const [forQueue, forWorker] = connections;
  if (!forQueue || !forWorker) throw new Error('The queue and the worker need two connections');
  const prefix = `${options.prefix}:{hop}`;
  const queue = new Queue<number>('hop', { connection: forQueue, prefix });
  const worker = new Worker<number>(
    'hop',
    (job) => {
      arrived(job.data);
      return Promise.resolve();
    },
    { connection: forWorker, prefix },
  );
  await worker.waitUntilReady();
  return {
    send: (number) => queue.add('hop', number, { removeOnComplete: true }),
    close: async () => {
      await worker.close();
      await queue.close();
      await Promise.all(connections.map((connection) => connection.quit()));
    },
  };
}
