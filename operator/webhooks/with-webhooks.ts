import { ConfigError } from '../../shared/platform/config/load.ts';
import { TurnoutError } from '../../shared/platform/errors/turnout-error.ts';
import { createDeliveryLog, type DeliveryLog } from '../../shared/jobs/webhooks/delivery-log.ts';
import { createEndpointStore, type EndpointStore } from '../../shared/jobs/webhooks/endpoint-store.ts';
import { createRegistry, type Registry } from '../../shared/jobs/webhooks/registry.ts';
import { createSecretBox } from '../../shared/jobs/webhooks/secrets.ts';
import { CommandFailed } from '../context.ts';
import { type OperatorSettings } from '../settings.ts';
import { needing, withStores } from '../stores.ts';

export interface Webhooks {
  endpoints: EndpointStore;
  deliveries: DeliveryLog;
}

/** Runs `work` with the webhook stores. Errors of the error catalogue are shown with their catalogue message. */
export function withWebhooks<T>(
  settings: OperatorSettings,
  work: (webhooks: Webhooks) => Promise<T>,
): Promise<T> {
  return withStores(settings, ({ redis, keys, addresses }) => {
    const webhooks = {
      endpoints: createEndpointStore(redis, keys),
      deliveries: createDeliveryLog(redis, keys),
    };
    return needing(addresses.redis, inOurWords(work(webhooks)));
  });
}

/** The same for work that creates a signing secret. Throws a `ConfigError` without `TURNOUT_SECRET`. */
export function withRegistry<T>(
  settings: OperatorSettings,
  work: (registry: Registry) => Promise<T>,
): Promise<T> {
  const {
    TURNOUT_SECRET: secret,
    WEBHOOK_ALLOW_HTTP: allowHttp,
    WEBHOOK_ALLOW_PRIVATE: allowPrivate,
  } = settings;
  if (secret === undefined) throw new ConfigError(['TURNOUT_SECRET is required and not set']);
  return withWebhooks(settings, ({ endpoints: store }) =>
    work(createRegistry({ store, box: createSecretBox(secret), rules: { allowHttp, allowPrivate } })),
  );
}

export function noSuchEndpoint(id: string): CommandFailed {
  return new CommandFailed(`This user has no webhook endpoint ${id}.`);
}

async function inOurWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof TurnoutError) throw new CommandFailed(error.message, { cause: error });
    throw error;
  }
}
