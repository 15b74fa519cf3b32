import { z } from 'zod';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

/** The query parameters of OpenAI's list endpoints. `max` and `usual` are the maximum and the default of `limit`. */
export function pageQueryOf({ max, usual }: { max: number; usual: number }) {
  return z.looseObject({
    limit: z
      .string()
      .regex(/^\d{1,6}$/, 'must be a whole number')
      .transform(Number)
      .refine((limit) => limit >= 1 && limit <= max, { error: `must be from 1 to ${max}` })
      .default(usual),
    order: z.enum(['asc', 'desc']).default('desc'),
    after: z.string().max(200).optional(),
  });
}

export const pageQuery = pageQueryOf({ max: 100, usual: 20 });

export interface Page<T> {
  object: 'list';
  data: T[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
}

/** The page of `items` that the query selects. `items` are in ascending order. Throws `invalid_value` for an unknown `after`. */
export function pageOf<T extends { id: string }>(
  items: readonly T[],
  { limit, order, after }: z.infer<typeof pageQuery>,
): Page<T> {
  const ordered = order === 'asc' ? items : items.toReversed();
  const start = after === undefined ? 0 : ordered.findIndex(({ id }) => id === after) + 1;
  if (after !== undefined && start === 0)
    throw new TurnoutError('invalid_value', {
      message: `'after' is not the id of an item in this list. Use the 'last_id' of the previous page.`,
      param: 'after',
    });
  return toPage(ordered.slice(start, start + limit), start + limit < ordered.length);
}

export function toPage<T extends { id: string }>(data: T[], hasMore: boolean): Page<T> {
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: hasMore,
  };
}
