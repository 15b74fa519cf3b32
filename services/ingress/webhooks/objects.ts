import { type Delivery, type DeliveryPage } from '../../../shared/jobs/webhooks/delivery-log.ts';
import { type Endpoint } from '../../../shared/jobs/webhooks/endpoint-store.ts';
import { type WithSecret } from '../../../shared/jobs/webhooks/registry.ts';
import { type Page, toPage } from '../http/pagination.ts';

/** OpenAI's object (`WebhookEndpoint` in the SDK). `enabled` and `disabled_reason` are Turnout's additions. Times in seconds. */
export function endpointObject(endpoint: Endpoint) {
  const { id, name, url, eventTypes, createdAt, updatedAt, hint, disabled } = endpoint;
  return {
    id,
    object: 'webhook_endpoint',
    name,
    url,
    event_types: eventTypes,
    created_at: seconds(createdAt),
    updated_at: seconds(updatedAt),
    signing_secret_hint: hint,
    enabled: disabled === undefined,
    disabled_reason: disabled ?? null,
  } as const;
}

export function endpointWithSecret({ endpoint, secret }: WithSecret) {
  return { ...endpointObject(endpoint), signing_secret: secret };
}

export function deliveryList({ deliveries, hasMore }: DeliveryPage): Page<ReturnType<typeof deliveryObject>> {
  return toPage(deliveries.map(deliveryObject), hasMore);
}

function deliveryObject(delivery: Delivery) {
  const { id, eventId, eventType, responseId, state, tries, status, error } = delivery;
  return {
    id,
    object: 'webhook_delivery',
    event_id: eventId,
    event_type: eventType,
    response_id: responseId,
    status: state,
    tries,
    last_status_code: status ?? null,
    last_error: error ?? null,
    created_at: seconds(delivery.createdAt),
    last_try_at: optionalSeconds(delivery.lastTryAt),
    next_try_at: optionalSeconds(delivery.nextTryAt),
  } as const;
}

function seconds(at: number): number {
  return Math.floor(at / 1_000);
}

function optionalSeconds(at: number | undefined): number | null {
  return at === undefined ? null : seconds(at);
}
