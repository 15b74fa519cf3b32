import ipaddr from 'ipaddr.js';
import { createHash } from 'node:crypto';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { type Authenticator } from '../../../shared/policy/access/authenticator.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';

/**
 * Slows down guessing of credentials: an address may present only so many unknown credentials in a minute that turn out to be wrong.
 *
 * A credential is unknown -> (its address's turn) -> accepted | refused. Accepted ones are looked up without a turn for a minute after
 * their last use, so a client behind the address of a guesser goes on; a revoked one is still refused at once. Refused ones are refused
 * for some seconds without a look-up. The turn is taken before the look-up and given back when the credential was right: credentials
 * that come at the same moment pass no more look-ups than one after the other.
 */
export interface ThrottledAuthenticator {
  /**
   * `address`: the client's, IPv4 or IPv6. Throws `rate_limit_exceeded` with `retryAfterS`, and what `Authenticator.authenticate` throws.
   */
  authenticate(authorization: string | undefined, address: string): Promise<Principal>;
}

interface ThrottledAuthenticatorOptions {
  authenticator: Authenticator;
  /** Wrong credentials of one address in a minute. */
  failuresPerMinute?: number;
  log: Logger;
}

const FAILURES_PER_MINUTE = 60;
const MINUTE_MS = 60_000;
const REFUSED_MS = 2_000;
/** Credentials that are remembered, of each kind. */
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
  /** Look-ups of unknown credentials that are under way, by address. */
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

  /** Undefined when the address has a turn; else how long it has none, in milliseconds. */
  async function takeTurn(address: string): Promise<number | undefined> {
    try {
      await failures.consume(address);
      return undefined;
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error;
      await failures.reward(address); // what was refused does not count
      return error.msBeforeNext;
    }
  }

  async function lookUpInTurn(
    authorization: string,
    credential: string,
    address: string,
  ): Promise<Principal> {
    for (;;) {
      if (accepted.has(credential)) return lookUp(authorization, credential);
      if (refused.has(credential)) throw new TurnoutError('invalid_api_key');
      const waitMs = await takeTurn(address);
      if (waitMs === undefined) break;
      const before = pending.get(address);
      if (!before) throw throttled(address, waitMs);
      await Promise.race(before); // a turn may come back
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
    if (!logged.has(address)) log.warn({ address }, 'Failed authentication is throttled');
    logged.add(address);
    const retryAfterS = Math.max(1, Math.ceil(waitMs / 1_000));
    return new TurnoutError('rate_limit_exceeded', {
      message: `Too many wrong API keys from this address. Try again in ${retryAfterS}s.`,
      retryAfterS,
    });
  }

  return {
    authenticate: (authorization, address) =>
      authorization === undefined
        ? authenticator.authenticate(authorization)
        : lookUpInTurn(authorization, digest(authorization), networkOf(address)),
  };
}

function isWrong(error: unknown): boolean {
  return error instanceof TurnoutError && error.code === 'invalid_api_key';
}

function digest(authorization: string): string {
  return createHash('sha256').update(authorization).digest('base64');
}

/** An IPv6 client has a whole /64 of addresses: they count as one. */
function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed.kind() === 'ipv4'
    ? parsed.toString()
    : parsed.toNormalizedString().split(':').slice(0, 4).join(':');
}

/** Remembers what was added for a while; the oldest go first when it is full. */
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
