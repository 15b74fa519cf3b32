import { z } from 'zod';
import { eventType } from '../../../shared/jobs/webhooks/event.ts';
import { pageQuery } from '../http/pagination.ts';
import {
  type EndpointChanges,
  endpointEventTypes,
  endpointName,
} from '../../../shared/jobs/webhooks/registry.ts';

/** What these routes take. In a body a name that is not known is refused, so that no misspelt wish goes unheard. */
export const createBody = z.strictObject({
  url: z.string(),
  name: endpointName.optional(),
  event_types: endpointEventTypes,
});
export type CreateBody = Readonly<z.infer<typeof createBody>>;

/** The name of an endpoint that was given none; OpenAI requires one. */
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

/** The log is read from its end. */
export const deliveriesQuery = pageQuery.extend({ order: z.literal('desc').default('desc') });
export type DeliveriesQuery = Readonly<z.infer<typeof deliveriesQuery>>;

/** A request without a body asks for the defaults. */
function optionalBody<T extends z.ZodType>(schema: T) {
  return z.preprocess((body) => body ?? {}, schema);
}
