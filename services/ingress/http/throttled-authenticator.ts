import ipaddr from 'ipaddr.js';
import { createHash } from 'node:crypto';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { type Authenticator } from '../../../shared/policy/access/authenticator.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';

/**
 * Slows down guessing of credentials: each address may present only a limited number of invalid credentials per minute.
 *
 * A credential is unknown -> (takes one of its address's attempts) -> accepted | rejected.
 *
 * - Accepted credentials need no attempt for a minute after their last use, so a legitimate client behind the same address as an
 *   attacker keeps working. They are still looked up, so a revoked one is rejected at once.
 * - Rejected credentials are rejected without a look-up for some seconds.
 * - The attempt is taken before the look-up and returned if the credential was valid. Sending many credentials at the same moment
 *   therefore allows no more look-ups than sending them one after the other.
 */
export interface ThrottledAuthenticator {
  /**
   * `address`: the client's IPv4 or IPv6 address. Throws `rate_limit_exceeded` with `retryAfterS`, and what
   * `Authenticator.authenticate` throws.
   */
  authenticate(authorization: string | undefined, address: string): Promise<Principal>;
}

interface ThrottledAuthenticatorOptions {
  authenticator: Authenticator;
  /** Invalid credentials allowed per address and minute. */
  failuresPerMinute?: number;
  log: Logger;
}

const FAILURES_PER_MINUTE = 60;
const MINUTE_MS = 60_000;
const REFUSED_MS = 2_000;
/** How many credentials each memory holds. */
const REMEMBERED = 10_000;

export function createThrottledAuthenticator({
  authenticator,
  failuresPerMinute = FAILURES_PER_MINUTE,
  log,
}: ThrottledAuthenticatorOptions): ThrottledAuthenticator {
  const failures = new RateLimiterMemory({ points: failuresPerMinute, duration: MINUTE_MS / 1_000 });
  const accepted = createMemory(MINUTE_MS);
  const refused = createMemory(REFUSED_MS);
  const logged = createMemory(MINUTE_MS);
  /** Look-ups of unknown credentials that are in progress, by address. */
  const pending = new Map<string, Set<Promise<unknown>>>();

  async function lookUp(authorization: string, credential: string): Promise<Principal> {
    try {
      const principal = await authenticator.authenticate(authorization);
      accepted.add(credential);
      return principal;
    } catch (error) {
      if (isWrong(error)) {
        accepted.delete(credential);
        refused.add(credential);
      } else if (error instanceof TurnoutError && error.code === 'user_blocked') accepted.add(credential);
      throw error;
    }
  }

  /** Takes one attempt. Returns undefined on success, else the milliseconds until the address has an attempt again. */
  async function takeTurn(address: string): Promise<number | undefined> {
    try {
      await failures.consume(address);
      return undefined;
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error;
      await failures.reward(address); // a rejected `consume` still adds a point: take it back
      return error.msBeforeNext;
    }
  }

  async function lookUpInTurn(
    authorization: string,
    credential: string,
    clientAddress: string,
  ): Promise<Principal> {
    if (accepted.has(credential)) return lookUp(authorization, credential);
    const address = networkOf(clientAddress);
    for (;;) {
      if (accepted.has(credential)) return lookUp(authorization, credential);
      if (refused.has(credential)) throw new TurnoutError('invalid_api_key');
      const waitMs = await takeTurn(address);
      if (waitMs === undefined) break;
      const before = pending.get(address);
      if (!before) throw throttled(address, waitMs);
      await Promise.race(before); // a valid credential returns its attempt
    }
    const work = lookUp(authorization, credential).then(
      async (principal) => {
        await failures.reward(address);
        return principal;
      },
      async (error: unknown) => {
        if (!isWrong(error)) await failures.reward(address);
        throw error;
      },
    );
    return track(address, work);
  }

  async function track(address: string, work: Promise<Principal>): Promise<Principal> {
    const settled = work.then(
      () => undefined,
      () => undefined,
    );
    const group = pending.get(address) ?? new Set();
    pending.set(address, group.add(settled));
    try {
      return await work;
    } finally {
      group.delete(settled);
      if (group.size === 0) pending.delete(address);
    }
  }

  function throttled(address: string, waitMs: number): TurnoutError {
    if (!logged.has(address)) log.warn({ address }, 'Throttled an address after too many invalid API keys');
    logged.add(address);
    const retryAfterS = Math.max(1, Math.ceil(waitMs / 1_000));
    return new TurnoutError('rate_limit_exceeded', {
      message: `Too many invalid API keys from this address. Check your API key and try again in ${retryAfterS}s.`,
      retryAfterS,
    });
  }

  return {
    authenticate: (authorization, address) =>
      authorization === undefined
        ? authenticator.authenticate(authorization)
        : lookUpInTurn(authorization, digest(authorization), address),
  };
}

function isWrong(error: unknown): boolean {
  return error instanceof TurnoutError && error.code === 'invalid_api_key';
}

function digest(authorization: string): string {
  return createHash('sha256').update(authorization).digest('base64');
}

/** An IPv6 client controls a whole /64 network, so all of its addresses count as one. */
function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed.kind() === 'ipv4'
    ? parsed.toString()
    : parsed.toNormalizedString().split(':').slice(0, 4).join(':');
}

/** A set whose entries expire after `lifetimeMs`. When it is full, the oldest entry is removed. */
function createMemory(lifetimeMs: number) {
  const until = new Map<string, number>();
  return {
    has: (name: string) => (until.get(name) ?? 0) > performance.now(),
    delete: (name: string) => until.delete(name),
    add: (name: string) => {
      until.delete(name);
      until.set(name, performance.now() + lifetimeMs);
      const [oldest] = until.keys();
      if (until.size > REMEMBERED && oldest !== undefined) until.delete(oldest);
    },
  };
}
