/**
 * `make checkouts`: starts four clones of this commit at the same time on one machine. Exits with 1 if one of them did not start, or does
 * not use its own processes.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import { cacheFolder, layoutAt, repositoryRoot } from '../../stack/layout.ts';
import { liveProcess, readPidRecords } from '../../stack/pid-record.ts';
import { strangersOn } from '../../stack/port-owner.ts';
import { sayAs, writeReport } from '../../stack/reports.ts';

const CHECKOUTS = 4;
const say = sayAs('checkouts');
const run = promisify(execFile);
const cache = cacheFolder(process.env);
const stopping = new AbortController();

interface Checkout {
  folder: string;
  seconds: number;
  /** Ports by process name, from the checkout's pid records. */
  ports: Record<string, number>;
  key: string;
  url: string;
  problems: string[];
}

function clone(home: string, index: number): string {
  const folder = join(home, `checkout-${index}`);
  execFileSync('git', ['clone', '--quiet', '--local', repositoryRoot, folder]);
  symlinkSync(join(repositoryRoot, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

function stack(folder: string, command: 'up' | 'down', signal?: AbortSignal) {
  const env = { ...process.env, TURNOUT_CACHE_DIR: cache };
  return run(process.execPath, ['stack/cli.ts', command], { cwd: folder, env, signal, maxBuffer: 64 << 20 });
}

async function start(folder: string): Promise<Checkout> {
  const begun = performance.now();
  const problems: string[] = [];
  await stack(folder, 'up', stopping.signal).catch((error: unknown) =>
    problems.push(`make up failed: ${String(error)}`),
  );
  const seconds = Math.round((performance.now() - begun) / 1_000);
  const layout = layoutAt(join(folder, '.turnout'), { cache });
  const records = readPidRecords(layout.run);
  for (const record of records) {
    if (!liveProcess(record)) problems.push(`${record.name} is not running`);
    for (const { pid } of strangersOn(record.port, record.pid))
      problems.push(`the port of ${record.name} belongs to process ${pid}`);
  }
  const ports = Object.fromEntries(records.map(({ name, port }) => [name, port]));
  if (problems.length > 0) return { folder, seconds, ports, key: '', url: '', problems };
  const env = parseEnv(readFileSync(join(layout.state, 'dev.env'), 'utf8'));
  return {
    folder,
    seconds,
    ports,
    key: env['TURNOUT_API_KEY'] ?? '',
    url: env['TURNOUT_URL'] ?? '',
    problems,
  };
}

/** The status of a model list request to one checkout with the key of another. */
async function statusAt(url: string, key: string): Promise<number> {
  const response = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  await response.body?.cancel();
  return response.status;
}

async function judge(checkouts: readonly Checkout[]): Promise<void> {
  for (const [index, one] of checkouts.entries()) {
    if (one.url === '') continue;
    for (const [other, { key }] of checkouts.entries()) {
      if (key === '') continue;
      const expected = index === other ? 200 : 401;
      const status = await statusAt(one.url, key);
      if (status !== expected)
        one.problems.push(`the key of checkout ${other} got ${status}, not ${expected}`);
    }
  }
  const ports = checkouts.flatMap(({ ports: own }) => Object.values(own));
  if (new Set(ports).size !== ports.length) checkouts[0]?.problems.push('two checkouts use the same port');
}

let stopped: Promise<void> | undefined;

/** Aborts starts that are still running, then stops everything. A second call waits for the first. */
function stopAll(): Promise<void> {
  stopping.abort();
  return (stopped ??= Promise.all(folders.map((folder) => stack(folder, 'down'))).then(() =>
    rmSync(home, { recursive: true, force: true }),
  ));
}

const home = mkdtempSync(join(tmpdir(), 'turnout-checkouts-'));
const folders = Array.from({ length: CHECKOUTS }, (_, index) => clone(home, index));
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stopAll().finally(() => process.exit(1)));
}
try {
  say(`starting ${CHECKOUTS} checkouts`);
  const checkouts = await Promise.all(folders.map(start));
  await judge(checkouts);
  for (const { seconds, ports, problems } of checkouts) {
    say(`up after ${seconds} s, ${Object.keys(ports).length} processes, ingress on port ${ports['ingress']}`);
    for (const problem of problems) console.log(`WRONG ${problem}`);
  }
  writeReport(
    'checkouts',
    checkouts.map(({ seconds, ports, problems }) => ({ seconds, ports, problems })),
    say,
  );
  process.exitCode = checkouts.every(({ problems }) => problems.length === 0) ? 0 : 1;
} finally {
  await stopAll();
}
