import { randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { buildContextWorker } from '../../services/context-worker/app.ts';
import { parseConfig } from '../../shared/platform/config/load.ts';
import { type Config } from '../../shared/platform/config/schema.ts';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { newJobId } from '../../shared/platform/ids.ts';
import { createJobLog, type JobLog } from '../../shared/jobs/joblog/job-log.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { type JobKeys, jobKeys } from '../../shared/platform/redis/keys.ts';
import { createDeliveriesQueue, type DeliveriesQueue } from '../../shared/jobs/webhooks/deliveries-queue.ts';
import {
  createDeliveryLog,
  type Delivery,
  type DeliveryLog,
} from '../../shared/jobs/webhooks/delivery-log.ts';
import { createEndpointStore, type EndpointStore } from '../../shared/jobs/webhooks/endpoint-store.ts';
import { createNotifier, type Notifier } from '../../shared/jobs/webhooks/notifier.ts';
import { createRegistry, type Registry } from '../../shared/jobs/webhooks/registry.ts';
import { createSecretBox } from '../../shared/jobs/webhooks/secrets.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

export interface Received {
  path: string;
  headers: Record<string, string>;
  body: string;
  /** Milliseconds since the epoch. */
  at: number;
}

/** A user's web server: what it received, and how it answers by path. */
export interface Receiver {
  url: string;
  received: Received[];
  at(path: string): Received[];
  answer(path: string, how: (response: ServerResponse, times: number) => void): void;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const answers = new Map<string, (response: ServerResponse, times: number) => void>();
  const at = (path: string) => received.filter((request) => request.path === path);
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const path = request.url ?? '';
      received.push({ path, headers: plain(request.headers), body, at: Date.now() });
      const answer = answers.get(path) ?? (() => response.writeHead(204).end());
      answer(response, at(path).length);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    at,
    answer: (path, how) => answers.set(path, how),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function plain(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** Webhooks on the real Redis under a separate prefix. */
export interface WebhookSystem {
  prefix: string;
  redis: Redis;
  keys: JobKeys;
  config: Config;
  jobLog: JobLog;
  endpoints: EndpointStore;
  registry: Registry;
  deliveries: DeliveryLog;
  queue: DeliveriesQueue;
  notifier: Notifier;
  /** Starts a context-worker in this process. It is closed with the system at the latest. */
  startWorker(env?: Record<string, string>): Promise<() => Promise<void>>;
  /** Creates a job of the user that has ended with these events. */
  endedJob(user: string, end?: readonly JobEvent[]): Promise<string>;
  lastDelivery(user: string, endpointId: string): Promise<Delivery | undefined>;
  close(): Promise<void>;
}

/** Production refuses receivers on this machine. */
export const LOCAL = { WEBHOOK_ALLOW_HTTP: 'true', WEBHOOK_ALLOW_PRIVATE: 'true' };

export function openWebhookSystem(): WebhookSystem {
  const prefix = `t-webhooks-${randomBytes(4).toString('hex')}`;
  const env = { ...testEnv(), REDIS_PREFIX: prefix, PORT: '0', LOG_LEVEL: 'silent', ...LOCAL };
  const config = parseConfig(env);
  const redis = connectRedisWaiting(config.REDIS_URL, 'webhooks-test', silentLogger);
  const keys = jobKeys(prefix);
  const jobLog = createJobLog({ redis, keys, retentionMs: 60_000 });
  const endpoints = createEndpointStore(redis, keys);
  const deliveries = createDeliveryLog(redis, keys);
  const queue = createDeliveriesQueue(redis, {
    redisPrefix: prefix,
    keepFinishedMs: 60_000,
    log: silentLogger,
  });
  const rules = { allowHttp: true, allowPrivate: true };
  const workers = new Set<() => Promise<void>>();

  return {
    prefix,
    redis,
    keys,
    config,
    jobLog,
    endpoints,
    deliveries,
    queue,
    registry: createRegistry({ store: endpoints, box: createSecretBox(config.TURNOUT_SECRET), rules }),
    notifier: createNotifier({ jobLog, endpoints, deliveries, queue }),
    startWorker: async (changes = {}) => {
      const service = buildContextWorker({ config: parseConfig({ ...env, ...changes }), log: silentLogger });
      await service.start();
      const close = () => service.close();
      workers.add(close);
      return close;
    },
    endedJob: (user, end) => endJob(jobLog, user, end),
    lastDelivery: async (user, endpointId) =>
      (await deliveries.list(user, endpointId, { limit: 1 }))?.deliveries[0],
    close: async () => {
      await Promise.all([...workers].map((close) => close()));
      await queue.close();
      await removeKeys(redis, `${prefix}:*`);
      await redis.quit();
    },
  };
}

async function endJob(
  jobLog: JobLog,
  user: string,
  end: readonly JobEvent[] = [{ type: 'completed', at: Date.now() }],
): Promise<string> {
  const jobId = newJobId('s', user);
  const deadlineAt = Date.now() + 60_000;
  const record = { jobId, owner: user, userHash: 'h', model: 'm', acceptedAt: Date.now(), deadlineAt };
  await jobLog.admit({ ...record, bodyHash: '', reader: '', graceMs: undefined, hookNames: ['notify'] });
  await jobLog.route(jobId, [{ type: 'accepted', at: Date.now(), model: 'm' }]);
  const last = end.at(-1)?.type;
  const status = last === 'failed' || last === 'cancelled' ? last : 'completed';
  const outcome = { version: 1, id: `${jobId}.end`, jobId, userHash: 'h', model: 'm', status } as const;
  const finisher = { fence: undefined, expected: 1 };
  const ended = await jobLog.finish(jobId, finisher, end, {
    ...outcome,
    attempts: 0,
    at: Date.now(),
    ms: { total: 0 },
    usage: [],
  });
  if (ended.kind !== 'finished') throw new Error(`The job did not end: ${ended.kind}`);
  return jobId;
}
