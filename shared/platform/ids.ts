import { createHash, createHmac, randomBytes } from 'node:crypto';
import { z } from 'zod';

/**
 * `job_` and 32 hex digits. BullMQ refuses `:` and all-digit ids, and base64 could spell the words that the rollout guide counts
 * in the logs.
 */
export const jobId = z.string().regex(/^job_[0-9a-f]{32}$/);

/** Makes a job id: derived from the user and the idempotency key if there is one, otherwise random. */
export function newJobId(secret: string, user: string, idempotencyKey?: string): string {
  if (idempotencyKey === undefined) return `job_${randomBytes(16).toString('hex')}`;
  return `job_${hmacHex(secret, `job\0${user}\0${idempotencyKey}`).slice(0, 32)}`;
}

/**
 * `file-` and 32 hex digits: 12 digits of creation time in ms, so that ids sort by age; 18 random digits; and the last two digits
 * of the user's `userDigest`, so that the id alone determines the bucket of the user's files.
 */
export const fileId = z.string().regex(/^file-[0-9a-f]{32}$/, 'must be the id of a file');

/** `now`: milliseconds since the epoch. */
export function newFileId(user: string, now: number): string {
  const madeAt = now.toString(16).padStart(12, '0');
  return `file-${madeAt}${randomBytes(9).toString('hex')}${userDigest(user).slice(-2)}`;
}

/** The form of a user id in Redis keys; user ids may contain any character. It uses no secret, so it survives a change of secret. */
export function userDigest(user: string): string {
  return createHash('sha256').update(user).digest('hex').slice(0, 32);
}

/** Replaces the user id in logs and events. 16 hex digits. */
export function userHash(secret: string, user: string): string {
  return hmacHex(secret, `user\0${user}`).slice(0, 16);
}

function hmacHex(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}
