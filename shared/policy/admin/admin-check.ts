import { createHash, timingSafeEqual } from 'node:crypto';
import { type Authenticator } from '../access/authenticator.ts';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';

/** Who of the operators asks; undefined for whoever has the admin key. */
export interface Admin {
  user: string | undefined;
}

/** Throws `invalid_api_key`, `admin_required`, and what the authenticator throws. */
export type AdminCheck = (authorization: string | undefined) => Promise<Admin>;

interface AdminCheckOptions {
  /** A key that is nobody's; undefined: there is none. */
  adminKey: string | undefined;
  /** Of keys and tokens that belong to somebody, some are an admin's. */
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

/** In constant time: what is compared are hashes, which are as long as each other. */
function isKey(adminKey: string, authorization: string | undefined): boolean {
  const [, key = ''] = /^Bearer (\S+)$/i.exec(authorization ?? '') ?? [];
  return timingSafeEqual(sha256(key), sha256(adminKey));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
