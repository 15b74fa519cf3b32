/**
 * `make compare`: measures the last release and this version in turn, on one machine in one run, and writes the report. Exits with 1 if
 * this version is slower. RELEASE=x.y.z chooses another release.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sayAs, writeReport } from '../../stack/reports.ts';
import { checkOut, chosenRelease } from '../../test/upgrade/releases.ts';
import { type BenchSystem, startBenchSystem } from '../bench-system.ts';
import { startLoadProcess } from '../load/load-process.ts';
import { aligned } from '../measure/aligned.ts';
import { measureAlone } from '../phases/latency.ts';
import { measureThroughput } from '../phases/throughput.ts';
import { planFrom, STREAM, WHOLE } from '../plan.ts';
import { compare, type ReleaseComparison, COMPARE_HELD_TO, slower } from './judge.ts';

/** More rounds than `make bench` has, because the differences are small. */
const ROUNDS = 8;

const say = sayAs('compare');
const usual = planFrom(process.argv.slice(2));
const plan = { ...usual, saturation: { ...usual.saturation, rounds: usual.quick ? 1 : ROUNDS } };
const release = chosenRelease(process.env['RELEASE']);
const home = mkdtempSync(join(tmpdir(), 'turnout-compare-'));
const system = await startBenchSystem(say);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void system.stop().finally(() => process.exit(1)));
}
try {
  const root = join(home, release.version);
  checkOut(release, root);
  const comparison = await measureBoth(system, root);
  console.log(toTable(comparison));
  writeReport(
    'compare',
    { at: new Date().toISOString(), release: release.version, heldTo: COMPARE_HELD_TO, ...comparison },
    say,
  );
  const broken = slower(comparison);
  for (const promise of broken) console.log(`WRONG ${promise}`);
  process.exitCode = broken.length === 0 ? 0 : 1;
} finally {
  say('stopping');
  await system.stop();
  rmSync(home, { recursive: true, force: true });
}

async function measureBoth(bench: BenchSystem, root: string): Promise<ReleaseComparison> {
  const load = await startLoadProcess();
  try {
    const measured = [
      await bench.turnout('simulator', { name: 'before', env: {}, root }),
      await bench.turnout('simulator', { name: 'this', env: {} }),
    ];
    say('measuring the first token, one request at a time');
    const alone = await measureAlone(
      load,
      measured.map(({ target }) => target),
      plan,
    );
    say('measuring jobs per second');
    const jobs = await measureThroughput({ load, system: bench, plan }, measured, WHOLE);
    say('measuring streams per second');
    const streams = await measureThroughput({ load, system: bench, plan }, measured, STREAM);
    return compare({ before: 'before', now: 'this' }, { alone, jobs, streams });
  } finally {
    await load.close();
  }
}

function toTable({ firstTokenMs, jobs, streams, errors }: ReleaseComparison): string {
  const rate = (name: string, { before, now, ratio, rounds }: ReleaseComparison['jobs']) => [
    name,
    before.toFixed(1),
    now.toFixed(1),
    ratio.toFixed(3),
    rounds.map((one) => one.toFixed(2)).join(' '),
  ];
  const rows = [
    ['', release.version, 'this', 'this / before', 'by round'],
    [
      'first token p50, ms',
      firstTokenMs.before.toFixed(2),
      firstTokenMs.now.toFixed(2),
      `${firstTokenMs.inPairs > 0 ? '+' : ''}${firstTokenMs.inPairs.toFixed(2)} in pairs`,
    ],
    rate('answers per second', jobs),
    rate('streams per second', streams),
  ];
  return [
    ...aligned(rows),
    ...Object.entries(errors).map(([what, count]) => `${count} requests failed: ${what}`),
  ].join('\n');
}
