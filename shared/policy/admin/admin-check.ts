import { createHash, timingSafeEqual } from 'node:crypto';
import { type Authenticator } from '../access/authenticator.ts';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';

/** The operator who sends a request; `user` is undefined for the admin key, which belongs to no user. */
export interface Admin {
  user: string | undefined;
}

/** Throws `invalid_api_key`, `admin_required`, and what the authenticator throws. */
export type AdminCheck = (authorization: string | undefined) => Promise<Admin>;

interface AdminCheckOptions {
  /** The admin key, which belongs to no user; undefined: there is none. */
  adminKey: string | undefined;
  /** Authenticates users' keys and tokens; users can be admins. */
  authenticator: Pick<Authenticator, 'authenticate'>;
}

export function createAdminCheck({ adminKey, authenticator }: AdminCheckOptions): AdminCheck {
  return async (authorization) => {
    if (adminKey !== undefined && isKey(adminKey, authorization)) return { user: undefined };
    const { user, admin } = await authenticator.authenticate(authorization);
    if (!admin) throw new TurnoutError('admin_required');
    return { user };
  };
}

/** Compares in constant time. Comparing hashes makes both sides equally long. */
function isKey(adminKey: string, authorization: string | undefined): boolean {
  const [, key = ''] = /^Bearer (\S+)$/i.exec(authorization ?? '') ?? [];
  return timingSafeEqual(sha256(key), sha256(adminKey));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
