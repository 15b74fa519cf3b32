import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RunningServices, startServices } from '../test/harness/services.ts';
import { layoutOfRun } from '../test/harness/state.ts';
import { startSystem } from '../test/harness/system.ts';
import { testEnv } from '../test/harness/env.ts';
import { readPidRecords } from '../stack/pid-record.ts';
import { type ServiceName, serviceNames } from '../stack/services.ts';
import { startBaseline } from './baseline/start.ts';
import type { Target } from './load/protocol.ts';
import type { Pids } from './measure/process-usage.ts';

/** The system that a run measures, with its own data, ports, topics and keys. */
export interface BenchSystem {
  readonly redisUrl: string;
  readonly brokers: readonly string[];
  /** The prefix of this run's names in Kafka and Redis; unique to the run. */
  readonly prefix: string;
  readonly litellm: Target;
  /** The simulated provider, without `/v1`. */
  readonly simulatorUrl: string;
  /** Kafka, the two Redis servers, LiteLLM and the simulator. */
  readonly infrastructure: Pids;
  /** Starts Turnout. With `also`, it starts an additional instance of the whole system. */
  turnout(upstream: Upstream, also?: Also): Promise<MeasuredTurnout>;
  baseline(upstream: Upstream): Promise<Measured>;
  stop(): Promise<void>;
}

/** The upstream of Turnout: LiteLLM (with the simulator behind it), or the simulator directly. */
export type Upstream = 'litellm' | 'simulator';

export interface Also {
  name: string;
  /** Additional settings. */
  env: Readonly<Record<string, string>>;
  /** The checkout whose code runs. Default: this one. */
  root?: string;
}

export interface Measured {
  target: Target;
  pids: Pids;
  stop(): Promise<void>;
}

export interface MeasuredTurnout extends Measured {
  /** The prefix of its topics and keys. */
  prefix: string;
  /** The folder of the services' logs. */
  logs: string;
  urlOf(instance: string): string;
  /** Starts another instance of a service. */
  start(service: ServiceName, instance: string): Promise<void>;
}

/** All jobs of one user go through the same partition, so a realistic load needs many users. */
const USERS = 50;

export async function startBenchSystem(say: (line: string) => void): Promise<BenchSystem> {
  const system = await startSystem({ say });
  Object.assign(process.env, system.env);
  const env = testEnv();
  const layout = layoutOfRun(env.TURNOUT_TEST_STATE);
  const prefix = `bench-${randomBytes(4).toString('hex')}`;
  const users = createUsers(join(layout.state, 'bench-keys.json'));
  const litellm = { name: 'litellm', baseUrl: `${env.LITELLM_URL}/v1`, apiKeys: [env.LITELLM_MASTER_KEY] };

  return {
    redisUrl: env.REDIS_URL,
    brokers: env.KAFKA_BROKERS.split(','),
    prefix,
    litellm,
    simulatorUrl: env.UPSTREAM_URL,
    infrastructure: Object.fromEntries(readPidRecords(layout.run).map(({ name, pid }) => [name, pid])),
    turnout: async (upstream, { name, env: settings, root } = { name: 'turnout', env: {} }) => {
      const services = await startServices({
        prefix: `${prefix}-${upstream}${name === 'turnout' ? '' : `-${name}`}`,
        env: { API_KEYS_FILE: users.file, ENABLE_LITELLM: String(upstream === 'litellm'), ...settings },
        ...(root === undefined ? {} : { root }),
      });
      return toMeasured(name, services, users.keys);
    },
    baseline: async (upstream) => {
      const { baseUrl, pids } = await startBaseline(layout, {
        REDIS_URL: env.REDIS_URL,
        REDIS_PREFIX: `${prefix}-baseline-${upstream}`,
        UPSTREAM_BASE_URL: upstream === 'litellm' ? litellm.baseUrl : env.LEGACY_BASE_URL,
        UPSTREAM_API_KEY: upstream === 'litellm' ? env.LITELLM_MASTER_KEY : env.LEGACY_API_KEY,
      });
      const target = { name: 'baseline', baseUrl, apiKeys: ['none'] };
      return { target, pids, stop: () => Promise.resolve() };
    },
    stop: () => system.stop(),
  };
}

function toMeasured(name: string, services: RunningServices, apiKeys: readonly string[]): MeasuredTurnout {
  const target = { name, baseUrl: `${services.url}/v1`, apiKeys };
  const pids = Object.fromEntries(serviceNames.map((name) => [name, services.pidOf(name)]));
  return {
    prefix: services.prefix,
    target,
    pids,
    logs: services.logs,
    urlOf: (instance) => services.urlOf(instance),
    start: (service, instance) => services.start(service, instance),
    stop: () => services.stop(),
  };
}

function createUsers(file: string): { file: string; keys: string[] } {
  const keys = Array.from({ length: USERS }, () => `sk-turnout-${randomBytes(32).toString('base64url')}`);
  const known = keys.map((key, at) => ({
    id: `bench_${at}`,
    user: `bench-user-${at}`,
    sha256: createHash('sha256').update(key).digest('hex'),
  }));
  writeFileSync(file, JSON.stringify({ keys: known }), { mode: 0o600 });
  return { file, keys };
}
