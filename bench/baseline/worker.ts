import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import OpenAI from 'openai';
import type { ChatCompletionCreateParams } from 'openai/resources/chat/completions';
import { type BaselineSettings, channelOf, QUEUE } from './settings.ts';

export function startWorker(settings: BaselineSettings): void {
  const client = new OpenAI({
    baseURL: settings.UPSTREAM_BASE_URL,
    apiKey: settings.UPSTREAM_API_KEY,
    maxRetries: 0,
  });
  const publisher = new Redis(settings.REDIS_URL);
  const worker = new Worker<ChatCompletionCreateParams>(
    QUEUE,
    async ({ id = '', data }) => {
      if (!data.stream) return await client.chat.completions.create(data);
      const say = (text: string): Promise<number> => publisher.publish(channelOf(settings), `${id} ${text}`);
      for await (const chunk of await client.chat.completions.create(data)) void say(JSON.stringify(chunk));
      await say('[DONE]');
      return null;
    },
    {
      connection: new Redis(settings.REDIS_URL, { maxRetriesPerRequest: null }),
      prefix: settings.REDIS_PREFIX,
      concurrency: settings.CONCURRENCY,
    },
  );
  worker.on('error', (error) => console.error(error));
}
