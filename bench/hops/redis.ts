import { silentLogger } from '../../shared/platform/log/logger.ts';
import { connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import type { Hop } from './paced.ts';

interface RedisHopOptions {
  redisUrl: string;
  prefix: string;
}

const connect = (url: string): Redis => connectRedisWaiting(url, 'bench', silentLogger);

/** From appending to a stream (and to disk: the job Redis uses `appendfsync always`) until a blocked reader has the entry. */
export async function openAppendHop(
  { redisUrl, prefix }: RedisHopOptions,
  arrived: (number: number) => void,
): Promise<Hop> {
  const [writer, reader] = [connect(redisUrl), connect(redisUrl)];
  const key = `${prefix}:hop`;
  let last = '0';
  let closing = false;

  async function read(): Promise<void> {
    while (!closing) {
      const reply = await reader.xread('BLOCK', BLOCK_MS, 'STREAMS', key, last);
      for (const [id, fields] of reply?.[0]?.[1] ?? []) {
        last = id;
        arrived(Number(fields[1]));
      }
    }
  }

  await writer.ping();
  const reading = read();
  return {
    send: (number) => writer.xadd(key, '*', 'n', number),
    close: async () => {
      closing = true;
      await reading;
      await writer.del(key);
      await Promise.all([writer.quit(), reader.quit()]);
    },
  };
}

/** How long a blocking read lasts before the reader checks whether it should stop. */
const BLOCK_MS = 200;

/** From publishing to the call of a subscriber. */
export async function openPubSubHop(
  { redisUrl, prefix }: RedisHopOptions,
  arrived: (number: number) => void,
): Promise<Hop> {
  const [publisher, subscriber] = [connect(redisUrl), connect(redisUrl)];
  const channel = `${prefix}:hop`;
  subscriber.on('message', (_channel: string, message: string) => arrived(Number(message)));
  await subscriber.subscribe(channel);
  return {
    send: (number) => publisher.publish(channel, String(number)),
    close: async () => {
      await Promise.all([publisher.quit(), subscriber.quit()]);
    },
  };
}
