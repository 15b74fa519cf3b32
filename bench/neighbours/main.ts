/**
 * `make neighbours`: ten users read streams while another user sends harmful requests of many kinds. Writes the report, and exits with 1
 * if a promise to the ten users is broken. TROUBLES=text,text selects the kinds whose names contain one of the texts.
 */
import { serviceNames } from '../../stack/services.ts';
import { sayAs, writeReport } from '../../stack/reports.ts';
import { openJobStore } from '../../test/faults/support/job-store.ts';
import { startBenchSystem } from '../bench-system.ts';
import { causeInThread, type NeighbourFindings, measureTrouble } from './measure.ts';
import { startNeighbours } from './neighbours.ts';
import { NEIGHBOURS_HELD_TO, NEIGHBOURS_PLAN } from './plan.ts';
import { brokenIn, neighboursTable } from './report.ts';
import { chosenTroubles } from './troubles.ts';

const chosen = chosenTroubles(process.env['TROUBLES']);
const say = sayAs('neighbours');

const system = await startBenchSystem(say);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void system.stop().finally(() => process.exit(1)));
}
try {
  const measured = await system.turnout('simulator');
  const second = 'llm-worker-2';
  await measured.start('llm-worker', second);
  const urls = Object.fromEntries([...serviceNames, second].map((name) => [name, measured.urlOf(name)]));
  const store = openJobStore(measured.prefix);
  const neighbours = startNeighbours(measured.target, NEIGHBOURS_PLAN.neighbours);
  const phases: { findings: NeighbourFindings; broken: string[] }[] = [];
  const play = async (name: string, cause: Parameters<typeof measureTrouble>[2], expected?: string) => {
    say(name);
    const findings = await measureTrouble({ measured, urls, neighbours, store }, name, cause);
    const broken = brokenIn(findings, expected, NEIGHBOURS_HELD_TO);
    for (const promise of broken) say(`WRONG ${promise}`);
    phases.push({ findings, broken });
  };
  await play('quiet', () => Promise.resolve({}));
  for (const { name, expected } of chosen) await play(name, () => causeInThread(measured, name), expected);
  await neighbours.stop();
  await store.close();
  console.log(neighboursTable(phases));
  const broken = phases.flatMap((phase) => phase.broken);
  for (const promise of broken) console.log(`WRONG ${promise}`);
  const report = { at: new Date().toISOString(), plan: NEIGHBOURS_PLAN, heldTo: NEIGHBOURS_HELD_TO, broken };
  writeReport('neighbours', { ...report, troubles: phases.map(({ findings }) => findings) }, say);
  process.exitCode = broken.length === 0 ? 0 : 1;
} finally {
  say('stopping');
  await system.stop();
}
