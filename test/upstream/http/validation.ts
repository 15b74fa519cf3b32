import type { z } from 'zod';
import { ApiError } from './router.ts';

/** @throws ApiError 400 naming the first bad field */
export function check<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const param = issue?.path.join('.') ?? '';
  throw new ApiError(400, `${param === '' ? 'the request body' : param}: ${issue?.message ?? 'is invalid'}`, {
    param,
  });
}
