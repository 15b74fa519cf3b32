/**
 * Records what a release writes: `node test/golden/record.ts`. RELEASE=x.y.z chooses another release than the last one. The files are
 * written to `test/golden/x.y.z`.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sayAs } from '../../stack/reports.ts';
import { startSystem } from '../harness/system.ts';
import { checkOut, chosenRelease } from '../upgrade/releases.ts';
import { capture } from './capture.ts';
import { type Functions, valuesOf } from './values.ts';

const say = sayAs('golden');
const release = chosenRelease(process.env['RELEASE']);
const home = mkdtempSync(join(tmpdir(), 'turnout-golden-'));
const system = await startSystem({ say });
try {
  Object.assign(process.env, system.env);
  const root = join(home, release.version);
  checkOut(release, root);
  const recorded = await capture({ prefix: 'golden', root, say });
  const values = valuesOf(await functionsOf(root));
  const folder = join(import.meta.dirname, release.version);
  mkdirSync(folder, { recursive: true });
  for (const [name, value] of Object.entries({ ...recorded, values })) {
    const lines = Array.isArray(value)
      ? `[\n${value.map((one) => JSON.stringify(one)).join(',\n')}\n]`
      : JSON.stringify(value, null, 2);
    writeFileSync(join(folder, `${name}.json`), `${lines}\n`);
  }
} finally {
  await system.stop();
  rmSync(home, { recursive: true, force: true });
}

/** The functions of release 0.1.0. A later release needs its own paths. */
async function functionsOf(root: string): Promise<Functions> {
  const load = (file: string) => import(join(root, 'shared', file)) as Promise<Record<string, unknown>>;
  const files = ['flags/bucket.ts', 'contracts/ids.ts', 'answers/fingerprint.ts', 'cache/seal.ts'];
  const functions = Object.assign({}, ...(await Promise.all(files.map(load)))) as Record<string, unknown>;
  return { ...functions, cacheNames: functions['createSealer'] } as unknown as Functions;
}
