import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';

const at = z.int().min(0);

export const keyOwner = z.object({
  user: z.string().min(1).max(200),
  groups: z.array(z.string().min(1).max(200)).max(1_000).default([]),
  admin: z.boolean().default(false),
});

/**
 * The stored record of an API key; the key itself is never stored. Times in milliseconds since the epoch.
 *
 * usable -> expired (by the clock) | revoked. Both states are final: `rotate` makes a new key.
 */
export const apiKey = z.object({
  version: z.literal(1),
  /** `key_` and 16 hex digits; for a key of the key file, its id in the file. */
  id: z.string().min(1),
  ...keyOwner.shape,
  /** A label for humans. */
  name: z.string().max(200).default(''),
  /** The first characters of the key, so that its owner can recognize it. Empty for a key of the key file. */
  prefix: z.string(),
  /** A plain SHA-256 is sufficient: keys are 256 random bits, so a dictionary attack is impossible. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: at,
  expiresAt: at.optional(),
  revokedAt: at.optional(),
});
export type ApiKey = Readonly<z.infer<typeof apiKey>>;

export type NewKey = Pick<ApiKey, 'user' | 'groups' | 'admin' | 'name' | 'expiresAt'>;

const PREFIX = 'sk-turnout-';
const SHOWN = PREFIX.length + 6;

/** Makes a key, which is shown once, and the record that is stored. */
export function newApiKey(owner: NewKey, now: number): { key: string; record: ApiKey } {
  const key = `${PREFIX}${randomBytes(32).toString('base64url')}`;
  const record = {
    version: 1,
    id: `key_${randomBytes(8).toString('hex')}`,
    ...owner,
    prefix: key.slice(0, SHOWN),
    sha256: hashOfKey(key),
    createdAt: now,
  } as const;
  return { key, record };
}

export function hashOfKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

export type KeyState = 'usable' | 'expired' | 'revoked';

export function stateOf(
  { expiresAt, revokedAt }: Pick<ApiKey, 'expiresAt' | 'revokedAt'>,
  now: number,
): KeyState {
  if (revokedAt !== undefined) return 'revoked';
  return expiresAt !== undefined && expiresAt <= now ? 'expired' : 'usable';
}

const REFUSALS = {
  expired: 'The API key has expired.',
  revoked: 'The API key was revoked.',
} as const;

/** Throws `invalid_api_key`. */
export function assertUsable(key: Pick<ApiKey, 'expiresAt' | 'revokedAt'>, now: number): void {
  const state = stateOf(key, now);
  if (state !== 'usable') throw new TurnoutError('invalid_api_key', { message: REFUSALS[state] });
}
