import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { type Entitlement } from '../../../shared/policy/access/entitlement.ts';
import { userDigest } from '../../../shared/platform/ids.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';

/** What of a limit is left in this minute. */
export interface RateState {
  limit: number;
  remaining: number;
  /** Milliseconds until all of it is there again. */
  resetMs: number;
}

export interface Rates {
  requests?: RateState;
  tokens?: RateState;
}

export interface RateLimits {
  /**
   * Takes one request and so many tokens of a user's minute. `tell` hears what is left, also when it throws: `rate_limit_exceeded`,
   * with the second in which the next minute begins.
   */
  take(asked: RateRequest, tell: (rates: Rates) => void): Promise<void>;
  /** Gives the tokens of a request back that was refused elsewhere. */
  giveBack(asked: RateRequest): Promise<void>;
}

export interface RateRequest {
  user: string;
  /** A whole number. */
  tokens: number;
  entitlement: Pick<Entitlement, 'requestsPerMinute' | 'tokensPerMinute'>;
}

const MINUTE_S = 60;

/**
 * Minutes begin with a user's first request: all of a limit is there again when one is over, so that a `Retry-After` is what it says.
 * What was refused for its tokens has taken none; a request counts also where it was refused, as at OpenAI.
 */
export function createRateLimits(redis: Redis, redisPrefix: string): RateLimits {
  const limiters = new Map<string, RateLimiterRedis>();

  /** The library has one limit for each limiter, and keeps nothing in it but that. */
  function limiterOf(kind: keyof Rates, points: number): RateLimiterRedis {
    const name = `${kind}:${points}`;
    const limiter =
      limiters.get(name) ??
      new RateLimiterRedis({
        storeClient: redis,
        keyPrefix: `${redisPrefix}:rate:${kind}`,
        points,
        duration: MINUTE_S,
      });
    limiters.set(name, limiter);
    return limiter;
  }

  async function consume(kind: keyof Rates, limit: number, user: string, points: number) {
    const limiter = limiterOf(kind, limit);
    try {
      return { passed: true, state: toState(limit, await limiter.consume(user, points)) };
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error;
      return { passed: false, state: toState(limit, error) };
    }
  }

  return {
    take: async ({ user, tokens, entitlement }, tell) => {
      const { requestsPerMinute, tokensPerMinute } = entitlement;
      const key = userDigest(user);
      const rates: Rates = {};
      if (requestsPerMinute !== undefined) {
        const { passed, state } = await consume('requests', requestsPerMinute, key, 1);
        tell(Object.assign(rates, { requests: state }));
        if (!passed) throw exceeded('requests', state);
      }
      if (tokensPerMinute === undefined) return;
      if (tokens > tokensPerMinute) throw tooLarge(tokens, tokensPerMinute);
      const { passed, state } = await consume('tokens', tokensPerMinute, key, tokens);
      tell(Object.assign(rates, { tokens: state }));
      if (passed) return;
      await limiterOf('tokens', tokensPerMinute).reward(key, tokens);
      throw exceeded('tokens', state);
    },
    giveBack: async ({ user, tokens, entitlement: { tokensPerMinute } }) => {
      if (tokensPerMinute === undefined) return;
      await limiterOf('tokens', tokensPerMinute).reward(userDigest(user), tokens);
    },
  };
}

function toState(limit: number, { remainingPoints, msBeforeNext }: RateLimiterRes): RateState {
  return { limit, remaining: remainingPoints, resetMs: msBeforeNext };
}

function exceeded(kind: keyof Rates, { limit, resetMs }: RateState): TurnoutError {
  const retryAfterS = Math.ceil(resetMs / 1_000);
  return new TurnoutError('rate_limit_exceeded', {
    message: `Rate limit reached: ${limit} ${kind} per minute. Try again in ${retryAfterS}s.`,
    retryAfterS,
  });
}

/** No later minute has more. */
function tooLarge(tokens: number, limit: number): TurnoutError {
  return new TurnoutError('request_too_large', {
    message: `The request may take ${tokens} tokens, and ${limit} per minute are allowed. Make it shorter, or allow a shorter answer.`,
  });
}

/** As OpenAI has them. */
export function rateHeaders(rates: Rates): Record<string, string> {
  return Object.fromEntries(
    Object.entries(rates as Record<keyof Rates, RateState>).flatMap(
      ([kind, { limit, remaining, resetMs }]) => [
        [`x-ratelimit-limit-${kind}`, String(limit)],
        [`x-ratelimit-remaining-${kind}`, String(remaining)],
        [`x-ratelimit-reset-${kind}`, durationText(resetMs)],
      ],
    ),
  );
}

/** `250ms`, `12s`, `1m0s`. */
function durationText(ms: number): string {
  if (ms < 1_000) return `${ms}ms`;
  const seconds = Math.ceil(ms / 1_000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
