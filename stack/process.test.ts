import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPidRecord, liveProcess, type PidRecord, writePidRecord } from './pid-record.ts';
import { processInfo } from './process-info.ts';
import { freePort } from './ports.ts';
import { ensureRunning, PortTakenError, type ProcessSpec, stopRecorded } from './process.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'turnout-'));
});
afterEach(async () => {
  const record = findPidRecord(folder, 'server');
  if (record !== undefined) await stopRecorded(record, folder, 0);
  rmSync(folder, { recursive: true });
});

const SERVER = 'require("http").createServer((_, r) => r.end("ok")).listen(process.env.PORT, "127.0.0.1")';

async function specOf(script: string, changes: Partial<ProcessSpec> = {}): Promise<ProcessSpec> {
  const port = await freePort(new Set());
  const log = join(folder, 'log');
  return {
    name: 'server',
    command: process.execPath,
    args: ['-e', script],
    env: { PORT: String(port) },
    workingFolder: folder,
    port,
    health: { kind: 'http', url: `http://127.0.0.1:${port}` },
    stdout: log,
    stderr: log,
    explainedBy: [log],
    startTimeoutMs: 20_000,
    stopTimeoutMs: 5000,
    ...changes,
  };
}

function recordIn(name = 'server'): PidRecord {
  const record = findPidRecord(folder, name);
  if (record === undefined) throw new Error(`no record of ${name}`);
  return record;
}

describe('a process of the stack', () => {
  test('is started once, left alone while it is healthy, and started again after it died', async () => {
    const spec = await specOf(SERVER);
    expect(await ensureRunning(spec, folder)).toBe('started');
    const first = recordIn();
    expect(await ensureRunning(spec, folder)).toBe('already running');
    expect(recordIn()).toEqual(first);
    process.kill(first.pid, 'SIGKILL');
    while (liveProcess(first) !== undefined) await new Promise(setImmediate);
    expect(await ensureRunning(spec, folder)).toBe('started');
    expect(recordIn().pid).not.toBe(first.pid);
  });

  test('is replaced when its settings change', async () => {
    const spec = await specOf(SERVER);
    await ensureRunning(spec, folder);
    const before = recordIn();
    expect(await ensureRunning({ ...spec, env: { ...spec.env, FLAG: 'on' } }, folder)).toBe('restarted');
    expect(liveProcess(before)).toBeUndefined();
  });

  test('is replaced when one of its configuration files changes', async () => {
    const config = join(folder, 'config');
    writeFileSync(config, 'one');
    const spec = await specOf(SERVER, { configFiles: [config] });
    await ensureRunning(spec, folder);
    expect(await ensureRunning(spec, folder)).toBe('already running');
    writeFileSync(config, 'other');
    expect(await ensureRunning(spec, folder)).toBe('restarted');
  });

  test('that ends at once fails the start, and the error contains its output', async () => {
    const spec = await specOf('console.error("PORT: \\"abc\\" is not valid"); process.exit(78)');
    await expect(ensureRunning(spec, folder)).rejects.toThrow(
      /ended with code 78[^]*PORT: "abc" is not valid/,
    );
    expect(findPidRecord(folder, 'server')).toBeUndefined();
  });

  test('that never becomes healthy is stopped, and the start fails', async () => {
    const spec = await specOf('setInterval(() => {}, 1000)', { startTimeoutMs: 300 });
    await expect(ensureRunning(spec, folder)).rejects.toThrow('not healthy after 0.3 s');
    expect(findPidRecord(folder, 'server')).toBeUndefined();
  });

  test('does not count as healthy if another process responds on its port', async () => {
    const neighbour = await specOf(SERVER);
    await ensureRunning({ ...neighbour, name: 'neighbour' }, folder);
    const patient = `${SERVER.replace('.listen(', '.on("error", () => {}).listen(')}; setInterval(() => {}, 1000)`;
    const spec = {
      ...(await specOf(patient)),
      port: neighbour.port,
      env: neighbour.env,
      health: neighbour.health,
    };
    try {
      await expect(ensureRunning(spec, folder)).rejects.toThrow(PortTakenError);
      expect(findPidRecord(folder, 'server')).toBeUndefined();
    } finally {
      await stopRecorded(recordIn('neighbour'), folder);
    }
  });

  test('that ends because its port is taken reports which process has the port', async () => {
    const neighbour = await specOf(SERVER);
    await ensureRunning({ ...neighbour, name: 'neighbour' }, folder);
    const { pid } = recordIn('neighbour');
    const spec = {
      ...(await specOf(SERVER)),
      port: neighbour.port,
      env: neighbour.env,
      health: neighbour.health,
    };
    try {
      await expect(ensureRunning(spec, folder)).rejects.toThrow(
        `port ${spec.port} is taken by node (pid ${pid})`,
      );
    } finally {
      await stopRecorded(recordIn('neighbour'), folder);
    }
  });

  test('that does not exist fails the start', async () => {
    const spec = await specOf('', { command: join(folder, 'nothing') });
    await expect(ensureRunning(spec, folder)).rejects.toThrow('ENOENT');
  });

  test('stops on SIGTERM, or is killed if it does not', async () => {
    await ensureRunning(await specOf(SERVER), folder);
    expect(await stopRecorded(recordIn(), folder)).toBe('stopped');
    await ensureRunning(await specOf(`process.on("SIGTERM", () => {}); ${SERVER}`), folder);
    const stubborn = recordIn();
    expect(await stopRecorded(stubborn, folder, 100)).toBe('killed');
    expect(liveProcess(stubborn)).toBeUndefined();
  });
});

describe('a process that reuses a recorded pid', () => {
  let stranger: ChildProcess;
  beforeEach(() => {
    stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
      detached: true,
      stdio: 'ignore',
    });
  });
  afterEach(async () => {
    stranger.kill('SIGKILL');
    if (stranger.exitCode === null && stranger.signalCode === null) await once(stranger, 'exit');
  });

  test('is not stopped', async () => {
    const pid = stranger.pid ?? 0;
    const spec = await specOf(SERVER);
    writePidRecord(folder, {
      name: 'server',
      pid,
      startTime: 'another time',
      port: spec.port,
      extraPorts: {},
      startedAt: new Date().toISOString(),
      fingerprint: '',
      health: spec.health,
      stopTimeoutMs: 100,
    });
    expect(await stopRecorded(recordIn(), folder)).toBe('was not running');
    expect(processInfo(pid)).toBeDefined();
  });
});
