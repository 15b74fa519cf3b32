import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { findPidRecord, liveProcess } from '../../../../stack/pid-record.ts';
import { until } from '../../../../stack/until.ts';
import { layoutOfRun } from '../../../harness/state.ts';
import { type Ground } from '../ground.ts';
import { post, textOf } from './load.ts';
import { oneOfTwo, restartWith, type Struck } from './strike.ts';

/**
 * A full disk without a disk of its own, and without being root: the limit on the size of the files that one process may write
 * (`RLIMIT_FSIZE`). A write beyond it fails with EFBIG where it would fail with ENOSPC. Unlike a full disk, it also sends
 * SIGXFSZ, which ends a process that does not expect it: Redis, which would end itself since it cannot keep its promise of
 * `appendfsync always`. The JVM expects it, and Kafka ends itself since its only log folder fails.
 */
function limitFiles(pid: number, bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`]);
}

const FULL_MS = 2_000;

/** Its next write fails and it ends. A start with room for its files brings it back with all that it had acknowledged. */
export async function fillDiskOf(ground: Ground, part: 'redis' | 'kafka'): Promise<Struck> {
  const record = findPidRecord(layoutOfRun(ground.state).run, part);
  if (record === undefined) throw new Error(`${part} does not run`);
  limitFiles(record.pid, 1);
  const ended = await until(() => liveProcess(record) === undefined, { timeoutMs: 30_000, everyMs: 20 });
  if (!ended) throw new Error(`${part} goes on with a full disk`);
  await delay(FULL_MS);
  await ground.system.start(part);
  return { since: Date.now() };
}

/** Fits into the limit of no file, and travels through the blob store. */
const LARGE_CHARACTERS = 200_000;
const FILE_BYTES = 64 * 1_024;
const TRIES = 5;

/** One ingress cannot write bodies: what needs one is refused with a 503, all else goes on; with room again, large requests do too. */
export async function fillBlobDisk(ground: Ground, random: () => number): Promise<Struck> {
  const instance = ['ingress', oneOfTwo('ingress', random)] as const;
  const preload = pathToFileURL(join(import.meta.dirname, 'no-file-signal.ts')).href;
  // Its log is not to stop at the limit.
  await restartWith(ground, instance, { NODE_OPTIONS: `--import=${preload}`, LOG_FILE: '/dev/null' });
  const url = ground.services.urlOf(instance[1]);
  limitFiles(ground.services.pidOf(instance[1]), FILE_BYTES);
  const refused = await askLarge(ground, url);
  limitFiles(ground.services.pidOf(instance[1]), 'unlimited');
  const since = Date.now();
  const answered = await askLarge(ground, url);
  return {
    since,
    after: async () => {
      await restartWith(ground, instance, {});
      return [
        ...(refused.every((status) => status === 503)
          ? []
          : [`a full disk was answered with ${refused.join()}`]),
        ...(answered.every((status) => status === 200) ? [] : [`with room again: ${answered.join()}`]),
      ];
    },
  };
}

function askLarge(ground: Ground, url: string): Promise<number[]> {
  const messages = [{ role: 'user', content: textOf(LARGE_CHARACTERS) }];
  const body = { model: 'turnout-sim', messages };
  const ask = () => post(ground, { url, path: 'chat/completions', apiKey: ground.extraKey, body });
  return Promise.all(Array.from({ length: TRIES }, ask));
}
