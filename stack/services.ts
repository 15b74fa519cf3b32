import { join } from 'node:path';
import { type Layout, nodeCompileCache, repositoryRoot } from './layout.ts';
import type { ProcessSpec } from './process.ts';

/** In start order. The ingress is last, so that it accepts requests only when everything else is ready. */
export const serviceNames = [
  'metrics',
  'cache',
  'context-worker',
  'llm-worker',
  'router',
  'ingress',
] as const;
export type ServiceName = (typeof serviceNames)[number];

export interface ServiceOptions {
  readonly name: ServiceName;
  readonly port: number;
  /** The settings that all services share; HOST, PORT and LOG_FILE are added. */
  readonly env: Readonly<Record<string, string>>;
  /** The merged log of all services. */
  readonly mergedLog: string;
  /** The checkout whose code runs; default: this one. */
  readonly root?: string;
  /** Distinguishes further instances of one service in one stack: `router-2`. */
  readonly instance?: string;
}

const NODE_OPTIONS = [
  // If nothing is throttled, kafkajs computes a timeout from `-1 - Date.now()`. Node uses 1 ms instead, which is right, but warns.
  '--disable-warning=TimeoutNegativeWarning',
  // MiB per event loop. Without a limit, V8 lets garbage grow to several times the used memory on a machine with much memory.
  '--max-old-space-size=1024',
  // MiB. By default, V8 (Node 24) lets the space for new objects grow to 128 MiB over hours of load, which looks like a leak. A fixed size is
  // as fast and takes less memory. `deploy/docker/turnout` has the same sizes.
  '--min-semi-space-size=16',
  '--max-semi-space-size=16',
];

const STOP_MARGIN_MS = 5000;
const DEFAULT_SHUTDOWN_MS = 20_000;

export function mergedLogOf(layout: Layout): string {
  return join(layout.logs, 'turnout.log');
}

/** The process of one of Turnout's own services. */
export function prepareService(options: ServiceOptions, layout: Layout): ProcessSpec {
  const name = options.instance ?? options.name;
  const log = join(layout.logs, `${name}.log`);
  const stderr = join(layout.logs, `${name}.err.log`);
  return {
    name,
    command: process.execPath,
    args: [...NODE_OPTIONS, join(options.root ?? repositoryRoot, 'services', options.name, 'main.ts')],
    env: {
      ...nodeCompileCache(layout),
      ...options.env,
      HOST: options.env['HOST'] ?? '127.0.0.1',
      PORT: String(options.port),
      LOG_FILE: options.env['LOG_FILE'] ?? log,
    },
    workingFolder: layout.workingFolder,
    port: options.port,
    health: { kind: 'http', url: `http://127.0.0.1:${options.port}/readyz` },
    stdout: options.mergedLog,
    stderr,
    explainedBy: [stderr, log],
    startTimeoutMs: 60_000,
    stopTimeoutMs: Number(options.env['SHUTDOWN_TIMEOUT_MS'] ?? DEFAULT_SHUTDOWN_MS) + STOP_MARGIN_MS,
  };
}
