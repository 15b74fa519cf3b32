/**
 * `make upgrade`: runs the last release and this version side by side under load, upgrades, and goes back. Exits with 1 on any complaint.
 * RELEASE=x.y.z chooses another release.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sayAs, writeReport } from '../../stack/reports.ts';
import { startSystem } from '../harness/system.ts';
import { checkOut, chosenRelease } from './releases.ts';
import { rollThereAndBack } from './roll.ts';

const say = sayAs('upgrade');
const release = chosenRelease(process.env['RELEASE']);
const home = mkdtempSync(join(tmpdir(), 'turnout-upgrade-'));
const system = await startSystem({ say });
try {
  Object.assign(process.env, system.env);
  const before = join(home, release.version);
  checkOut(release, before);
  const report = await rollThereAndBack({ before, say });
  for (const complaint of report.complaints) console.log(`WRONG ${complaint}`);
  console.log(
    `${report.answers} answers from ${release.version} to this version and back: ${report.complaints.length} complaints`,
  );
  writeReport('upgrade', { release: release.version, ...report }, say);
  process.exitCode = report.complaints.length === 0 ? 0 : 1;
} finally {
  await system.stop();
  rmSync(home, { recursive: true, force: true });
}
