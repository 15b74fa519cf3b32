/** `make rollback`: measures rollbacks under load, and writes the report. Exits with 1 if a promise is broken. */
import { sayAs, writeReport } from '../../stack/reports.ts';
import { startRollout } from '../../test/harness/rollout.ts';
import { startBenchSystem } from '../bench-system.ts';
import { measureRollbacks } from './measure.ts';
import { ROLLBACK_HELD_TO, ROLLBACK_PLAN } from './plan.ts';
import { toRollbackReport, rollbackText } from './report.ts';

const say = sayAs('rollback');

const bench = await startBenchSystem(say);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void bench.stop().finally(() => process.exit(1)));
}
try {
  const env = { MIGRATION_PHASE: '3', LLM_CONCURRENCY: String(ROLLBACK_PLAN.concurrency), LOG_LEVEL: 'warn' };
  const system = await startRollout(env, ROLLBACK_PLAN.users);
  const { redisUrl, brokers } = bench;
  const findings = await measureRollbacks({
    system,
    servers: { redisUrl, brokers },
    plan: ROLLBACK_PLAN,
    say,
  });
  const report = toRollbackReport(findings, ROLLBACK_HELD_TO, new Date());
  console.log(rollbackText(report));
  for (const promise of report.broken) console.log(`WRONG ${promise}`);
  writeReport('rollback', report, say);
  process.exitCode = report.broken.length === 0 ? 0 : 1;
  await system.stop();
} finally {
  say('stopping');
  await bench.stop();
}
