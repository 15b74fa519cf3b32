import { afterAll, expect, jest, test } from '@jest/globals';
import { capture, type Recorded } from '../golden/capture.ts';
import { readGolden } from '../golden/read.ts';
import { namesIn } from '../golden/shape.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';

jest.setTimeout(600_000);

const PREFIX = 'golden-now';

/** Names of release 0.1.0 that today's services do not write, and why. */
const GONE: [RegExp, string][] = [
  [/\{bull\}:extract:wait list$/, 'users take turns, so files wait in `extract:prioritized`'],
];

/** Names that a recording contains by chance. Other names show the same fields. */
const BY_CHANCE: [RegExp, string][] = [
  [
    /:outbox entry /,
    'an outcome that was not published before the services were killed; see the topic `events`',
  ],
  [
    /log 'Safety metrics' >.(points|litellm.firstTokenMs|legacy.firstTokenMs)\./,
    'figures of which there were enough at that time',
  ],
];

afterAll(async () => {
  for (const url of [testEnv().REDIS_URL, testEnv().CACHE_REDIS_URL]) {
    const redis = connectRedis(url, 'golden', silentLogger);
    await removeKeys(redis, `${PREFIX}:*`);
    await closeRedis(redis);
  }
});

test('today, the same scenario writes every name that release 0.1.0 wrote', async () => {
  const recorded = await capture({ prefix: PREFIX, root: undefined, say: () => undefined });
  const today = namesIn(JSON.parse(JSON.stringify(recorded).replaceAll(PREFIX, 'golden')) as Recorded);
  const missing = [...namesIn(readGolden())].filter((name) => !today.has(name));
  expect(missing.filter((name) => ![...GONE, ...BY_CHANCE].some(([pattern]) => pattern.test(name)))).toEqual(
    [],
  );
});
