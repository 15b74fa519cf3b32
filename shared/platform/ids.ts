import { createHash, createHmac, randomBytes } from 'node:crypto';
import { z } from 'zod';

/**
 * `job_` and 32 hex digits. Hex, because BullMQ refuses `:` and all-digit ids, and because base64 could spell the words
 * that the rollout guide counts in the logs.
 */
export const jobId = z.string().regex(/^job_[0-9a-f]{32}$/);

/** A job's id: random, or the same for the same user and idempotency key. */
export function newJobId(secret: string, user: string, idempotencyKey?: string): string {
  if (idempotencyKey === undefined) return `job_${randomBytes(16).toString('hex')}`;
  return `job_${hmacHex(secret, `job\0${user}\0${idempotencyKey}`).slice(0, 32)}`;
}

/**
 * `file-` and 32 hex digits: when it was made (12, in ms), so that ids sort by age; 18 random ones; and the last two of its
 * user's `userDigest`, so that the id alone tells in which bucket the user's files are.
 */
export const fileId = z.string().regex(/^file-[0-9a-f]{32}$/, 'must be the id of a file');

/** `now`: milliseconds since the epoch. */
export function newFileId(user: string, now: number): string {
  const madeAt = now.toString(16).padStart(12, '0');
  return `file-${madeAt}${randomBytes(9).toString('hex')}${userDigest(user).slice(-2)}`;
}

/** A user in a key, where any character may be in his own id. No secret is in it: it outlives a change of that. */
export function userDigest(user: string): string {
  return createHash('sha256').update(user).digest('hex').slice(0, 32);
}

/** What logs and events carry instead of a user's id. 16 hex digits. */
export function userHash(secret: string, user: string): string {
  return hmacHex(secret, `user\0${user}`).slice(0, 16);
}

function hmacHex(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}
