import { type Config } from '../../../shared/platform/config/schema.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { type JobKeys } from '../../../shared/platform/redis/keys.ts';
import { createDeliveriesQueue } from '../../../shared/jobs/webhooks/deliveries-queue.ts';
import { createDeliveryLog } from '../../../shared/jobs/webhooks/delivery-log.ts';
import { createEndpointStore } from '../../../shared/jobs/webhooks/endpoint-store.ts';
import { createRegistry } from '../../../shared/jobs/webhooks/registry.ts';
import { createSecretBox } from '../../../shared/jobs/webhooks/secrets.ts';
import { type WebhookRoutesDeps } from './routes.ts';
import { createWebhookTester } from './webhook-tester.ts';

interface WebhooksOptions {
  config: Config;
  redis: Redis;
  keys: JobKeys;
  log: Logger;
}

/** Opens the dependencies of the webhook routes. */
export function createWebhooks({
  config,
  redis,
  keys,
  log,
}: WebhooksOptions): Omit<WebhookRoutesDeps, 'caller'> & { close: () => Promise<void> } {
  const { REDIS_PREFIX: redisPrefix, KEEP_FINISHED_MS: keepFinishedMs } = config;
  const endpoints = createEndpointStore(redis, keys);
  const queue = createDeliveriesQueue(redis, { redisPrefix, keepFinishedMs, log });
  return {
    endpoints,
    registry: createRegistry({
      store: endpoints,
      box: createSecretBox(config.TURNOUT_SECRET),
      rules: { allowHttp: config.WEBHOOK_ALLOW_HTTP, allowPrivate: config.WEBHOOK_ALLOW_PRIVATE },
    }),
    deliveries: createDeliveryLog(redis, keys),
    tests: createWebhookTester({ redis, keys, queue, timeoutMs: config.WEBHOOK_TIMEOUT_MS }),
    close: () => queue.close(),
  };
}
