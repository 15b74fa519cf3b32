import { z } from 'zod';
import { eventType } from '../../../shared/webhooks/event.ts';
import { type EndpointChanges, endpointEventTypes, endpointName } from '../../../shared/webhooks/registry.ts';

/** What these routes take. A name that is not known is refused, so that no misspelt wish goes unheard. */
export const createBody = z.strictObject({
  url: z.string(),
  name: endpointName.optional(),
  event_types: endpointEventTypes,
});
export type CreateBody = Readonly<z.infer<typeof createBody>>;

/** The name of an endpoint that was given none; OpenAI requires one. */
export function nameOf(url: string): string {
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

const PAGE_MAX = 100;

export const pageQuery = z.strictObject({
  after: z.string().optional(),
  limit: z
    .string()
    .regex(/^\d{1,3}$/, 'must be a whole number, in digits')
    .transform(Number)
    .pipe(z.int().min(1).max(PAGE_MAX))
    .default(20),
});
export type PageQuery = Readonly<z.infer<typeof pageQuery>>;

/** A request without a body asks for the defaults. */
function optionalBody<T extends z.ZodType>(schema: T) {
  return z.preprocess((body) => body ?? {}, schema);
}
