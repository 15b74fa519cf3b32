import { randomBytes } from 'node:crypto';
import { isHealthy } from '../../stack/health.ts';
import type { Layout } from '../../stack/layout.ts';
import { findPidRecord } from '../../stack/pid-record.ts';
import { freePort } from '../../stack/ports.ts';
import { ensureRunning, type ProcessSpec } from '../../stack/process.ts';
import { mergedLogOf, prepareService, type ServiceName, serviceNames } from '../../stack/services.ts';
import { stopAll } from '../../stack/shutdown.ts';
import { testEnv } from './env.ts';
import { killRecorded } from './kill.ts';
import { layoutOfServices } from './state.ts';

export interface ServicesOptions {
  /** Separates topics, Redis keys and logs from those of other tests. Default: a new one. */
  readonly prefix?: string;
  /** Settings for all these services, over the defaults. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: all six services. */
  readonly only?: readonly ServiceName[];
  /** The checkout whose code the services run. Default: this one. */
  readonly root?: string;
}

export interface RunningServices {
  readonly prefix: string;
  /** The ingress's URL, without `/v1`. */
  readonly url: string;
  readonly logs: string;
  urlOf(instance: string): string;
  pidOf(instance: string): number;
  /** Sends a signal (default SIGKILL) and waits until the process is gone. */
  kill(instance: string, signal?: NodeJS.Signals): Promise<void>;
  /** Restarts a service on its port, or starts one more instance: `start('router', 'router-2')`. `root`: the checkout whose code it runs. */
  start(
    name: ServiceName,
    instance?: string,
    env?: Readonly<Record<string, string>>,
    root?: string,
  ): Promise<void>;
  /** Stops all services gracefully. Safe to call again. */
  stop(): Promise<void>;
}

/** Starts Turnout's services as real processes against the system of this test run, and waits until they are ready. */
export async function startServices(options: ServicesOptions = {}): Promise<RunningServices> {
  const prefix = options.prefix ?? `t-${randomBytes(4).toString('hex')}`;
  const fleet = new Fleet(prefix, options.env ?? {});
  const names = serviceNames.filter((name) => options.only?.includes(name) ?? true);
  try {
    const results = await Promise.allSettled(names.map((name) => fleet.start(name, name, {}, options.root)));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  } catch (error) {
    await fleet.stop();
    throw error;
  }
  return fleet;
}

class Fleet implements RunningServices {
  readonly prefix: string;
  readonly #layout: Layout;
  readonly #env: Readonly<Record<string, string>>;
  readonly #ports = new Map<string, number>();

  constructor(prefix: string, env: Readonly<Record<string, string>>) {
    const run = testEnv();
    this.prefix = prefix;
    this.#layout = layoutOfServices(run.TURNOUT_TEST_STATE, prefix);
    const own = { TOPIC_PREFIX: prefix, REDIS_PREFIX: prefix, BLOB_DIR: `${this.#layout.data}/blobs` };
    // The cache is off by default, because most tests repeat a request and mean the model to be called. All users stay on LiteLLM,
    // without fallback to the legacy system, because most tests are about LiteLLM's failures.
    const rollout = { MIGRATION_PHASE: '3', PARALLEL_PERCENTAGE: '100', LEGACY_FALLBACK: 'false' };
    this.#env = { ...run, ...own, ...rollout, ENABLE_CACHE: 'false', ...env };
  }

  get url(): string {
    return this.urlOf('ingress');
  }

  get logs(): string {
    return this.#layout.logs;
  }

  urlOf(instance: string): string {
    const port = this.#ports.get(instance);
    if (port === undefined) throw new Error(`Service ${instance} was not started`);
    return `http://127.0.0.1:${port}`;
  }

  pidOf(instance: string): number {
    return this.#record(instance).pid;
  }

  async kill(instance: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await killRecorded(this.#layout.run, instance, signal);
  }

  async start(
    name: ServiceName,
    instance: string = name,
    env: Readonly<Record<string, string>> = {},
    root?: string,
  ): Promise<void> {
    const port = this.#ports.get(instance) ?? (await freePort(new Set(this.#ports.values())));
    this.#ports.set(instance, port);
    await ensureRunning(this.#spec(name, instance, { ...this.#env, ...env }, root), this.#layout.run);
  }

  async stop(): Promise<void> {
    await stopAll(this.#layout);
  }

  #spec(
    name: ServiceName,
    instance: string,
    env: Readonly<Record<string, string>>,
    root: string | undefined,
  ): ProcessSpec {
    const port = Number(new URL(this.urlOf(instance)).port);
    const mergedLog = mergedLogOf(this.#layout);
    return prepareService(
      { name, instance, port, env, mergedLog, ...(root === undefined ? {} : { root }) },
      this.#layout,
    );
  }

  #record(instance: string): { pid: number; startTime: string } {
    const record = findPidRecord(this.#layout.run, instance);
    if (record === undefined) throw new Error(`${instance} is not running`);
    return record;
  }
}

/** Whether a service answers `/readyz` with 2xx now. */
export function isReady(url: string): Promise<boolean> {
  return isHealthy({ kind: 'http', url: `${url}/readyz` });
}
