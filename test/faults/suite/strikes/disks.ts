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
 * Simulates a full disk without a separate disk and without root, by limiting the size of files that one process may write
 * (`RLIMIT_FSIZE`). A write beyond the limit fails with EFBIG instead of ENOSPC. Unlike a full disk, it also sends SIGXFSZ, which ends a
 * process without a handler. That includes Redis, which would exit anyway because it cannot honour `appendfsync always`. The JVM has a
 * handler, and Kafka exits because its only log folder fails.
 */
function limitFiles(pid: number, bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`]);
}

const FULL_MS = 2_000;

/** The part exits at its next write. A restart without the limit restores everything that it had acknowledged. */
export async function fillDiskOf(ground: Ground, part: 'redis' | 'kafka'): Promise<Struck> {
  const record = findPidRecord(layoutOfRun(ground.state).run, part);
  if (record === undefined) throw new Error(`${part} is not running`);
  limitFiles(record.pid, 1);
  const ended = await until(() => liveProcess(record) === undefined, { timeoutMs: 30_000, everyMs: 20 });
  if (!ended) throw new Error(`${part} still runs 30 s after its disk became full`);
  await delay(FULL_MS);
  await ground.system.start(part);
  return { since: Date.now() };
}

/** A request of this size exceeds the file limit and is stored in the blob store. */
const LARGE_CHARACTERS = 200_000;
const FILE_BYTES = 64 * 1_024;
const TRIES = 5;

/** One ingress cannot write bodies: it refuses requests that need one with a 503 and serves all others. Afterwards it serves large ones too. */
export async function fillBlobDisk(ground: Ground, random: () => number): Promise<Struck> {
  const instance = ['ingress', oneOfTwo('ingress', random)] as const;
  const preload = pathToFileURL(join(import.meta.dirname, 'no-file-signal.ts')).href;
  // Its log must not reach the limit.
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
          : [`statuses with a full disk: ${refused.join()}, expected only 503`]),
        ...(answered.every((status) => status === 200)
          ? []
          : [`statuses after the disk had room again: ${answered.join()}, expected only 200`]),
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
