import { afterAll, expect, jest, test } from '@jest/globals';
import { capture, type Recorded } from '../golden/capture.ts';
import { readGolden } from '../golden/read.ts';
import { dumpRedis } from '../golden/recording.ts';
import { namesIn, namesInStores } from '../golden/shape.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { periodically } from '../../shared/platform/util/periodically.ts';

jest.setTimeout(600_000);

const PREFIX = 'golden-now';
/** Job ids are made from it: with the secret of the recording, the simulator would take the calls of two tests for those of one job. */
const SECRET = 'another secret of tests that protects nothing';

/** Names of release 0.1.0 that today's services do not write, and why. */
const GONE: [RegExp, string][] = [
  [/\{bull\}:extract:wait list$/, 'users take turns, so files wait in `extract:prioritized`'],
];

/** Names that a recording contains by chance. Other names show the same fields. */
const BY_CHANCE: [RegExp, string][] = [
  [/\{bull\}:\w+:(events|stalled|stalled-check|marker)\b/, "BullMQ's own keys, by what its workers did last"],
  [/\{cache\} field expired$/, 'an entry of the cache that expired in time'],
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

/** Calls `look` every two seconds, because leases and slots of workers are stored only while the services run. */
async function whileLooking<T>(look: () => Promise<void>, work: Promise<T>): Promise<T> {
  const looking = periodically({ everyMs: 2_000, run: look, onError: () => undefined });
  looking.start();
  try {
    return await work;
  } finally {
    await looking.close();
  }
}

async function stores(): Promise<Pick<Recorded, 'job-redis' | 'cache-redis'>> {
  const { REDIS_URL, CACHE_REDIS_URL } = testEnv();
  return {
    'job-redis': await dumpRedis(REDIS_URL, PREFIX),
    'cache-redis': await dumpRedis(CACHE_REDIS_URL, PREFIX),
  };
}

test('today, the same scenario writes every name that release 0.1.0 wrote', async () => {
  const today = new Set<string>();
  const look = async () => {
    for (const name of namesInStores(await stores())) today.add(name.replaceAll(PREFIX, 'golden'));
  };
  const recorded = await whileLooking(
    look,
    capture({ prefix: PREFIX, root: undefined, secret: SECRET, say: () => undefined }),
  );
  for (const name of namesIn(recorded)) today.add(name.replaceAll(PREFIX, 'golden'));
  const missing = [...namesIn(readGolden())].filter((name) => !today.has(name));
  const unexplained = missing.filter((name) => ![...GONE, ...BY_CHANCE].some(([names]) => names.test(name)));
  expect(unexplained).toEqual([]);
});
