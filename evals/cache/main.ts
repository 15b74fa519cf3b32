/** `make cache`: measures limits, hit rates and times of the per-user cache. Exits with 1 if a limit was exceeded or a result was wrong. */
import { z } from 'zod';
import { type EntryStore } from '../../shared/content/cache/entry-store.ts';
import { openCache } from '../../shared/content/cache/open-cache.ts';
import { type Config } from '../../shared/platform/config/schema.ts';
import { parseConfig } from '../../shared/platform/config/load.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedisWaiting } from '../../shared/platform/redis/connect.ts';
import { periodically } from '../../shared/platform/util/periodically.ts';
import { messageOf } from '../../stack/errors.ts';
import { cacheFolder } from '../../stack/layout.ts';
import { sayAs, writeReport } from '../../stack/reports.ts';
import { testEnv } from '../../test/harness/env.ts';
import { generator } from '../../test/upstream/core/random.ts';
import { type BenchSystem, startBenchSystem } from '../../bench/bench-system.ts';
import { type HitFigures, measureHits } from './hits.ts';
import { type LimitFigures, measureLimits } from './limits.ts';
import { CACHE_PLAN } from './plan.ts';
import { replayTrace, type Replayed } from './replay.ts';
import { type ReplayFigures, toCacheReport, cacheText } from './report.ts';
import { assignUsers, readTrace, type TracedRequest, type TraceName } from './traces.ts';

const say = sayAs('cache');
const [folder] = process.argv.slice(2);
const context = { cache: cacheFolder(process.env), say };
const requestsOf = async (trace: TraceName) =>
  assignUsers(await readTrace(trace, folder, context), CACHE_PLAN.replay.users);
const traces: Record<TraceName, TracedRequest[]> = {
  conversation: await requestsOf('conversation'),
  synthetic: await requestsOf('synthetic'),
};

const system = await startBenchSystem(say);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void system.stop().finally(() => process.exit(1)));
}
try {
  const hits = await throughTheSystem(system);
  const limits = await limitsOf(system);
  const replays: ReplayFigures[] = [];
  for (const [at, { trace, limits: share }] of CACHE_PLAN.replay.runs.entries()) {
    say(`replaying ${trace} with ${share} of the default limits`);
    const figures = await replayed(traces[trace], share, `${system.prefix}-replay-${at}`);
    say(`${(figures.hitRate * 100).toFixed(1)}% of the repeated operations were hits`);
    replays.push({ trace, limits: share, ...figures });
  }
  const report = toCacheReport({ plan: CACHE_PLAN, limits, replays, hits }, new Date());
  console.log(cacheText(report));
  for (const wrong of report.wrong) console.log(`WRONG ${wrong}`);
  writeReport('cache', report, say);
  process.exitCode = report.wrong.length === 0 ? 0 : 1;
} finally {
  say('stopping');
  await system.stop();
}

/** The services' settings, for use in this process. */
function settings(prefix: string, more: Record<string, string> = {}): Config {
  return parseConfig({ ...testEnv(), REDIS_PREFIX: prefix, ...more });
}

async function throughTheSystem(bench: BenchSystem): Promise<HitFigures> {
  say('measuring the time to first token through the whole system');
  const turnout = await bench.turnout('litellm', {
    name: 'cached',
    env: { ENABLE_CACHE: 'true' },
  });
  const summary = z.object({ paths: z.object({ cache: z.object({ jobs: z.int() }) }) });
  const served = async () =>
    summary.parse(await (await fetch(`${turnout.urlOf('metrics')}/summary`)).json()).paths.cache.jobs;
  const figures = await measureHits(turnout.target, CACHE_PLAN.hits, served);
  await turnout.stop();
  return figures;
}

async function limitsOf(bench: BenchSystem): Promise<LimitFigures> {
  const prefix = `${bench.prefix}-limits`;
  const config = settings(prefix);
  const connect = (name: string) => connectRedisWaiting(config.CACHE_REDIS_URL, name, silentLogger);
  const [redis, other] = [connect('limits'), connect('ping')];
  const limits = {
    entries: config.CACHE_MAX_ENTRIES,
    bytes: config.CACHE_MAX_BYTES,
    userEntries: config.CACHE_USER_MAX_ENTRIES,
    userBytes: config.CACHE_USER_MAX_BYTES,
    floorPercent: config.CACHE_USER_FLOOR_PERCENT,
  };
  try {
    const random = generator(CACHE_PLAN.seed);
    return await measureLimits({ redis, other, prefix, limits, plan: CACHE_PLAN.limits, random, say });
  } finally {
    await Promise.all([closeRedis(redis), closeRedis(other)]);
  }
}

async function replayed(
  requests: readonly TracedRequest[],
  shareOfLimits: number,
  prefix: string,
): Promise<Replayed> {
  const { speed } = CACHE_PLAN.replay;
  const config = settings(prefix, { CACHE_TIMEOUT_MS: '200' });
  const share = (limit: number) => Math.floor(limit * shareOfLimits);
  const jobRedis = connectRedisWaiting(config.REDIS_URL, 'replay', silentLogger);
  const opened = openCache({
    config: {
      ...config,
      CACHE_ANSWER_TTL_MS: config.CACHE_ANSWER_TTL_MS / speed,
      CACHE_RAG_TTL_MS: config.CACHE_RAG_TTL_MS / speed,
      CACHE_MAX_ENTRIES: share(config.CACHE_MAX_ENTRIES),
      CACHE_MAX_BYTES: share(config.CACHE_MAX_BYTES),
      CACHE_USER_MAX_ENTRIES: share(config.CACHE_USER_MAX_ENTRIES),
      CACHE_USER_MAX_BYTES: share(config.CACHE_USER_MAX_BYTES),
    },
    jobRedis,
    name: 'replay',
    log: silentLogger,
  });
  const sweeping = periodically({
    everyMs: CACHE_PLAN.replay.sweepMs,
    run: () => sweepAll(opened.entries),
    onError: (error) => say(`sweep failed: ${messageOf(error)}`),
  });
  sweeping.start();
  try {
    return await replayTrace(requests, { cache: opened.cache, ...CACHE_PLAN.replay });
  } finally {
    await sweeping.close();
    await opened.redis.flushdb();
    await opened.close();
    await closeRedis(jobRedis);
  }
}

async function sweepAll(entries: Pick<EntryStore, 'sweep'>): Promise<void> {
  while ((await entries.sweep()).more);
}
