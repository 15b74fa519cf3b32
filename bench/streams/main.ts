/** `make streams`: measures many open streams on one ingress, and writes the report. Exits with 1 if a promise is broken. */
import { sayAs, writeReport } from '../../stack/reports.ts';
import { startBenchSystem } from '../bench-system.ts';
import { measureStreams } from './measure.ts';
import { STREAMS_HELD_TO, STREAMS_PLAN } from './plan.ts';
import { toStreamsReport, streamsText } from './report.ts';

const say = sayAs('streams');

const system = await startBenchSystem(say);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void system.stop().finally(() => process.exit(1)));
}
try {
  say('starting the services in front of the simulator');
  const measured = await system.turnout('simulator');
  const report = toStreamsReport(
    await measureStreams({ measured, plan: STREAMS_PLAN, say }),
    STREAMS_PLAN,
    STREAMS_HELD_TO,
    new Date(),
  );
  console.log(streamsText(report));
  for (const promise of report.broken) console.log(`WRONG ${promise}`);
  writeReport('streams', report, say);
  process.exitCode = report.broken.length === 0 ? 0 : 1;
} finally {
  say('stopping');
  await system.stop();
}
