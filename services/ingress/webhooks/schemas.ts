import { z } from 'zod';
import { eventType } from '../../../shared/jobs/webhooks/event.ts';
import { pageQuery } from '../http/pagination.ts';
import {
  type EndpointChanges,
  endpointEventTypes,
  endpointName,
} from '../../../shared/jobs/webhooks/registry.ts';

/** The inputs of the webhook routes. Unknown members of a body are rejected, so that a misspelt option is not silently ignored. */
export const createBody = z.strictObject({
  url: z.string(),
  name: endpointName.optional(),
  event_types: endpointEventTypes,
});
export type CreateBody = Readonly<z.infer<typeof createBody>>;

/** The default name of an endpoint. OpenAI requires a name. */
export function originOf(url: string): string {
  return URL.parse(url)?.hostname ?? 'webhook';
}

export const updateBody = optionalBody(
  z.strictObject({
    url: z.string().optional(),
    name: endpointName.optional(),
    event_types: endpointEventTypes.optional(),
    enabled: z.boolean().optional(),
  }),
);
export type UpdateBody = Readonly<z.infer<typeof updateBody>>;

export function toChanges({ url, name, event_types: eventTypes, enabled }: UpdateBody): EndpointChanges {
  return {
    ...(url !== undefined && { url }),
    ...(name !== undefined && { name }),
    ...(eventTypes && { eventTypes }),
    ...(enabled !== undefined && { enabled }),
  };
}

export const rotateBody = optionalBody(
  z.strictObject({ keep_old_secret_active_for_24_hours: z.boolean().default(false) }),
);
export type RotateBody = Readonly<z.infer<typeof rotateBody>>;

export const testBody = z.strictObject({ event_type: eventType });
export type TestBody = Readonly<z.infer<typeof testBody>>;

/** The delivery log can only be listed newest first. */
export const deliveriesQuery = pageQuery.extend({ order: z.literal('desc').default('desc') });
export type DeliveriesQuery = Readonly<z.infer<typeof deliveriesQuery>>;

/** A request without a body uses the defaults. */
function optionalBody<T extends z.ZodType>(schema: T) {
  return z.preprocess((body) => body ?? {}, schema);
}
