/** `make fairness`: measures how evenly users share the model, and writes the report. Exits with 1 if a promise is broken. */
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';
import { createFairQueue } from '../../shared/jobs/scheduling/fair-queue.ts';
import { sayAs, writeReport } from '../../stack/reports.ts';
import { startBenchSystem } from '../bench-system.ts';
import { measureHog } from './measure-hog.ts';
import { measureShares } from './measure-shares.ts';
import { FAIRNESS_HELD_TO, FAIRNESS_PLAN } from './plan.ts';

const say = sayAs('fairness');

const system = await startBenchSystem(say);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void system.stop().finally(() => process.exit(1)));
}
try {
  const env = { LLM_CONCURRENCY: String(FAIRNESS_PLAN.slots) };
  const start = (name: string) => system.turnout('simulator', { name, env });
  say('measuring eight users with requests of different sizes');
  const sharing = await start('shares');
  const shares = await measureShares(system, sharing, FAIRNESS_PLAN.share);
  await sharing.stop();
  say(`Jain's index ${shares.jain.toFixed(4)} over ${shares.seconds.toFixed(0)} s`);
  say(`measuring one user while another one queues ${FAIRNESS_PLAN.hog.jobs} jobs`);
  const hogged = await start('hog');
  const redis = connectRedis(system.redisUrl, 'fairness', silentLogger);
  const noShares = { userPercent: 100, interactivePercent: 0 }; // no limits: the queue is only read here
  const queue = createFairQueue({
    redis,
    redisPrefix: hogged.prefix,
    aheadPercent: 0,
    ageingMs: 1,
    ...noShares,
  });
  const hog = await measureHog(
    hogged,
    FAIRNESS_PLAN.hog,
    async () => (await queue.backlog()).jobs.background,
  );
  await closeRedis(redis);
  const report = { at: new Date().toISOString(), plan: FAIRNESS_PLAN, heldTo: FAIRNESS_HELD_TO, shares, hog };
  console.log(JSON.stringify({ shares, hog }, null, 2));
  writeReport('fairness', report, say);
  const broken = [
    ...(shares.jain < FAIRNESS_HELD_TO.jain
      ? [`Jain's index ${shares.jain} is below ${FAIRNESS_HELD_TO.jain}`]
      : []),
    ...(hog.beside.p99 > hog.allowedMs
      ? [`the other user's jobs waited ${hog.beside.p99} ms (p99); allowed: ${hog.allowedMs} ms`]
      : []),
    ...(hog.leftOver === 0 ? ['the backlog was empty before the measurement ended'] : []),
  ];
  for (const promise of broken) console.log(`WRONG ${promise}`);
  process.exitCode = broken.length === 0 ? 0 : 1;
} finally {
  say('stopping');
  await system.stop();
}
