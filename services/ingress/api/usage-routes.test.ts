import { afterEach, expect, test } from '@jest/globals';
import { fastify, type FastifyInstance } from 'fastify';
import { entitlementOf } from '../../../shared/policy/access/entitlement.ts';
import { OPEN_POLICY } from '../../../shared/policy/access/policy-file.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { toUsage } from '../../../shared/policy/usage/read-usage.ts';
import { installErrorHandling } from './errors.ts';
import { usageRoutes } from './usage-routes.ts';
import { validatorCompiler } from '../http/validation.ts';

let app: FastifyInstance;
afterEach(() => app.close());

/** Returns the accounts whose usage was read, and the response. */
async function ask(user: string, query: string, { away = false } = {}) {
  const asked: string[] = [];
  app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  installErrorHandling(app, silentLogger);
  usageRoutes(app, {
    usageOf: ({ account, period, at }) => {
      asked.push(`${account} ${period} ${new Date(at).toISOString().slice(0, 10)}`);
      if (away) return Promise.reject(new Error('Redis is unavailable'));
      return Promise.resolve(
        toUsage({ jobs: '2', 'reported/prompt': '7', 'reported/cost': '1500000000000' }),
      );
    },
    entitlementOf: (who) => entitlementOf({ ...OPEN_POLICY, default: { budget: { daily_usd: 5 } } }, who),
    userHash: (of) => `hash-of-${of}`,
    caller: () => ({ user, groups: [], admin: user === 'root' }),
  });
  const { statusCode, body } = await app.inject(`/v1/usage${query}`);
  return { asked, status: statusCode, body: JSON.parse(body) as Record<string, unknown> };
}

test('a user sees their usage of a day and its month, and their budgets', async () => {
  const { asked, body } = await ask('ada', '?date=2026-02-28');
  expect(asked).toEqual(['user:hash-of-ada day 2026-02-28', 'user:hash-of-ada month 2026-02-28']);
  expect(body).toMatchObject({
    object: 'usage',
    user: 'ada',
    budgets: [{ of: 'user', daily_usd: 5 }],
    day: {
      period: '2026-02-28',
      jobs: 2,
      reported: { prompt_tokens: 7, completion_tokens: 0, cost_usd: 1.5 },
    },
    month: { period: '2026-02' },
  });
});

test.each([
  ['root', '?user=ada', 200, 'user:hash-of-ada'],
  ['root', '?group=team', 200, 'group:team'],
  ['ada', '?user=ada', 200, 'user:hash-of-ada'],
  ['ada', '?user=bob', 403, undefined],
  ['ada', '?group=team', 403, undefined],
  ['root', '?user=ada&group=team', 400, undefined],
  ['ada', '?date=2026-02-30', 400, undefined],
  ['ada', '?dat=2026-02-28', 400, undefined],
])('%s requesting %j gets status %d', async (user, query, status, account) => {
  const answer = await ask(user, query);
  expect([answer.status, answer.asked[0]?.split(' ')[0]]).toEqual([status, account]);
});

test('an unavailable store is a 503', async () => {
  expect(await ask('ada', '', { away: true })).toMatchObject({ status: 503 });
});
