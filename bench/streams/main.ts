/** `make streams`: many open streams on one ingress; writes the report, and ends with 1 when a promise did not hold. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stateFolder } from '../../stack/layout.ts';
import { startBenchSystem } from '../bench-system.ts';
import { measureStreams } from './measure.ts';
import { HELD_TO, PLAN } from './plan.ts';
import { type Report, toReport, toText } from './report.ts';

const startedAt = performance.now();
const say = (line: string): void =>
  console.error(`[streams ${((performance.now() - startedAt) / 1_000).toFixed(0).padStart(3)} s] ${line}`);

const system = await startBenchSystem(say);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void system.stop().finally(() => process.exit(1)));
}
try {
  say('starting the services in front of the simulator');
  const measured = await system.turnout('simulator');
  const report = toReport(await measureStreams({ measured, plan: PLAN, say }), PLAN, HELD_TO, new Date());
  console.log(toText(report));
  for (const promise of report.broken) console.log(`WRONG ${promise}`);
  write(report);
  process.exitCode = report.broken.length === 0 ? 0 : 1;
} finally {
  say('stopping');
  await system.stop();
}

function write(report: Report): void {
  const folder = join(stateFolder(), 'reports');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'streams.json');
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  say(`written to ${relative(process.cwd(), file)}`);
}
