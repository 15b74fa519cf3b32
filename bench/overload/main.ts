/** `make overload`: loads the system with three times its capacity for five minutes, and writes the report. Exits with 1 if a promise is broken. */
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';
import { sayAs, writeReport } from '../../stack/reports.ts';
import { startBenchSystem } from '../bench-system.ts';
import { measureOverload, measurePeak, measureRecovery } from './measure.ts';
import { OVERLOAD_HELD_TO, OVERLOAD_PLAN } from './plan.ts';

const say = sayAs('overload');

const system = await startBenchSystem(say);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void system.stop().finally(() => process.exit(1)));
}
const redis = connectRedis(system.redisUrl, 'overload', silentLogger);
let mostMemory = 0;
const sampling = setInterval(() => {
  redis.info('memory').then(
    (info) => (mostMemory = Math.max(mostMemory, Number(/used_memory:(\d+)/.exec(info)?.[1] ?? 0))),
    () => undefined, // one sample is missing
  );
}, 1_000);
try {
  const env = {
    LLM_CONCURRENCY: String(OVERLOAD_PLAN.slots),
    INTERACTIVE_MAX_WAIT_MS: String(OVERLOAD_PLAN.maxWaitMs),
  };
  const { target } = await system.turnout('simulator', { name: 'overload', env });
  const peak = await measurePeak(target);
  say(`peak: ${peak.goodput.toFixed(1)} answers per second`);
  const overload = await measureOverload(target, peak.goodput * OVERLOAD_PLAN.factor);
  say(`overload: ${overload.goodput.toFixed(1)} answers per second`);
  const recoveryS = await measureRecovery(target, peak);
  const figures = {
    peak,
    overload,
    recoveryS,
    goodput: overload.goodput / peak.goodput,
    truth: overload.letIn / overload.cameBack,
    redisMB: mostMemory / 2 ** 20,
  };
  console.log(JSON.stringify(figures, null, 2));
  writeReport(
    'overload',
    { at: new Date().toISOString(), plan: OVERLOAD_PLAN, heldTo: OVERLOAD_HELD_TO, ...figures },
    say,
  );
  const broken = [
    ...(figures.goodput < OVERLOAD_HELD_TO.goodput
      ? [`goodput under overload is ${figures.goodput} of the peak`]
      : []),
    ...(figures.truth < OVERLOAD_HELD_TO.truth
      ? [`only ${figures.truth} of the retries at the announced time were accepted`]
      : []),
    ...(recoveryS > OVERLOAD_HELD_TO.recoveryS ? [`recovery took ${recoveryS} s`] : []),
    ...Object.entries(overload.failures).map(([why, count]) => `${count} requests failed: ${why}`),
  ];
  for (const promise of broken) console.log(`WRONG ${promise}`);
  process.exitCode = broken.length === 0 ? 0 : 1;
} finally {
  clearInterval(sampling);
  say('stopping');
  await closeRedis(redis);
  await system.stop();
}
