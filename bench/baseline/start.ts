import { join } from 'node:path';
import type { Layout } from '../../stack/layout.ts';
import { findPidRecord } from '../../stack/pid-record.ts';
import { freePort } from '../../stack/ports.ts';
import { ensureRunning, type ProcessSpec } from '../../stack/process.ts';
import type { Pids } from '../measure/process-usage.ts';

export interface Baseline {
  /** The base URL of the API, including `/v1`. */
  readonly baseUrl: string;
  readonly pids: Pids;
}

const ROLES = ['api', 'worker'] as const;
type Role = (typeof ROLES)[number];

/** Starts the two baseline processes, or replaces them if they run with other settings. They stop with the layout's other processes. */
export async function startBaseline(
  layout: Layout,
  env: Readonly<Record<'REDIS_URL' | 'REDIS_PREFIX' | 'UPSTREAM_BASE_URL' | 'UPSTREAM_API_KEY', string>>,
): Promise<Baseline> {
  const ports = await Promise.all(ROLES.map((role) => portOf(layout, role)));
  const specs = ROLES.map((role, at) => specOf(role, ports[at] ?? 0, env, layout));
  await Promise.all(specs.map((spec) => ensureRunning(spec, layout.run)));
  const pids = specs.map(({ name }) => [name, findPidRecord(layout.run, name)?.pid ?? Number.NaN] as const);
  return { baseUrl: `http://127.0.0.1:${String(ports[0])}/v1`, pids: Object.fromEntries(pids) };
}

const nameOf = (role: Role): string => `baseline-${role}`;

async function portOf(layout: Layout, role: Role): Promise<number> {
  return findPidRecord(layout.run, nameOf(role))?.port ?? (await freePort(new Set()));
}

function specOf(
  role: Role,
  port: number,
  env: Readonly<Record<string, string>>,
  layout: Layout,
): ProcessSpec {
  const log = join(layout.logs, `${nameOf(role)}.log`);
  return {
    name: nameOf(role),
    command: process.execPath,
    args: [join(import.meta.dirname, 'main.ts'), role],
    env: { ...env, HOST: '127.0.0.1', PORT: String(port), CONCURRENCY: '256' },
    workingFolder: layout.state,
    port,
    health: { kind: 'http', url: `http://127.0.0.1:${port}/livez` },
    stdout: log,
    stderr: log,
    explainedBy: [log],
    startTimeoutMs: 60_000,
    stopTimeoutMs: 5_000,
  };
}
