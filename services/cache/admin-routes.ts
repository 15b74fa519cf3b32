import { z } from 'zod';
import { type AdminCheck } from '../../shared/policy/admin/admin-check.ts';
import { adminRoute } from '../../shared/policy/admin/admin-route.ts';
import { type Cache } from '../../shared/content/cache/cache.ts';
import { TurnoutError } from '../../shared/platform/errors/turnout-error.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { type Route } from '../../shared/platform/telemetry/probes.ts';

interface AdminRoutesDeps {
  cache: Pick<Cache, 'stats' | 'clearUserCache'>;
  admin: AdminCheck;
  log: Logger;
}

const clearing = z.strictObject({ user: z.string().min(1).max(200) });

/** `GET /admin/cache/stats` and `POST /admin/cache/clear`. The user id is in the body, so that it never appears in a logged URL. */
export function adminRoutes({ cache, admin, log }: AdminRoutesDeps): Record<string, Route> {
  return {
    '/admin/cache/stats': adminRoute({
      method: 'GET',
      admin,
      log,
      handle: () => reaching(cache.stats()),
    }),
    '/admin/cache/clear': adminRoute({
      method: 'POST',
      admin,
      log,
      body: clearing,
      handle: async ({ user }) => {
        await reaching(cache.clearUserCache(user));
        log.info('Cleared the cache of a user');
        return { cleared: true };
      },
    }),
  };
}

async function reaching<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new TurnoutError('store_unavailable', { cause: error, retryAfterS: 1 });
  }
}
