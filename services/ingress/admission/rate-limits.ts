import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { type Entitlement } from '../../../shared/policy/access/entitlement.ts';
import { userDigest } from '../../../shared/platform/ids.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';

/** The state of one limit in the current minute. */
export interface RateState {
  limit: number;
  remaining: number;
  /** Milliseconds until the limit is fully available again. */
  resetMs: number;
}

export interface Rates {
  requests?: RateState;
  tokens?: RateState;
}

export interface RateLimits {
  /**
   * Takes one request and the given tokens from the user's limits for this minute. `onRates` receives what is left, even when this
   * throws. Throws `rate_limit_exceeded` with the time until the next minute begins, and `request_too_large` if no minute allows
   * that many tokens.
   */
  take(asked: RateRequest, onRates: (rates: Rates) => void): Promise<void>;
  /** Returns the tokens of a request that was rejected elsewhere. */
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
 * A minute begins with the user's first request. When it is over the whole limit is available again, so `Retry-After` is exact. A
 * request rejected for its tokens takes no tokens. Every request counts as a request, even a rejected one, as at OpenAI.
 */
export function createRateLimits(redis: Redis, redisPrefix: string): RateLimits {
  const limiters = new Map<string, RateLimiterRedis>();

  /** A limiter of the library has one fixed limit and no other state of its own. */
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
    take: async ({ user, tokens, entitlement }, onRates) => {
      const { requestsPerMinute, tokensPerMinute } = entitlement;
      const key = userDigest(user);
      const rates: Rates = {};
      if (requestsPerMinute !== undefined) {
        const { passed, state } = await consume('requests', requestsPerMinute, key, 1);
        onRates(Object.assign(rates, { requests: state }));
        if (!passed) throw exceeded('requests', state);
      }
      if (tokensPerMinute === undefined) return;
      if (tokens > tokensPerMinute) throw tooLarge(tokens, tokensPerMinute);
      const { passed, state } = await consume('tokens', tokensPerMinute, key, tokens);
      onRates(Object.assign(rates, { tokens: state }));
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

/** Not retryable: no later minute allows more. */
function tooLarge(tokens: number, limit: number): TurnoutError {
  return new TurnoutError('request_too_large', {
    message: `The request may use ${tokens} tokens, but your limit is ${limit} tokens per minute. Shorten it or lower 'max_completion_tokens'.`,
  });
}

/** The rate-limit headers in OpenAI's format. */
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
