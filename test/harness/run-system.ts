import { existsSync } from 'node:fs';
import { type InfrastructurePart } from '../../stack/infrastructure.ts';
import { loadSecrets } from '../../stack/secrets.ts';
import { removeContainersOf, startContainers } from './containers/container-system.ts';
import { engineAnswers } from './containers/engine.ts';
import { startRedisCluster } from './redis-cluster.ts';
import { createRunState, destroyAbandonedRuns, destroyRunState, isAbandoned, layoutOfRun } from './state.ts';
import { keysOf, startSystem, type System, warmUp } from './system.ts';

/** `cluster`: embedded, with a Redis Cluster as the job Redis. `environment`: servers that already run, at the addresses in the environment. */
const KINDS = ['embedded', 'cluster', 'containers', 'environment'] as const;
export type SystemKind = (typeof KINDS)[number];

type RunSystem = Pick<System, 'env' | 'stop'>;

interface RunSystemOptions {
  kind: SystemKind;
  parts: ReadonlySet<InfrastructurePart>;
  say: (line: string) => void;
}

/**
 * The kind that `TURNOUT_TEST_SYSTEM` names; by default containers if a Docker engine answers, and local processes otherwise. Addresses in the
 * environment alone are not used: they may belong to a stack that people use. Throws for an unknown kind.
 */
export async function chosenKind(
  env: Readonly<NodeJS.Dict<string>>,
  answers: () => Promise<boolean> = engineAnswers,
): Promise<SystemKind> {
  const chosen = env['TURNOUT_TEST_SYSTEM'];
  if (chosen === undefined || chosen === '') return (await answers()) ? 'containers' : 'embedded';
  const kind = KINDS.find((name) => name === chosen);
  if (!kind) throw new Error(`TURNOUT_TEST_SYSTEM must be one of ${KINDS.join(', ')}, and is ${chosen}`);
  return kind;
}

/** Kafka, the two Redis, LiteLLM and the simulator for one test run. Tests that break servers start their own. */
export function startRunSystem({ kind, parts, say }: RunSystemOptions): Promise<RunSystem> {
  say(`Kafka, Redis, LiteLLM and the simulator: ${kind}`);
  if (kind === 'embedded') return startSystem({ parts: [...parts], say });
  if (kind === 'cluster') return startOnCluster(parts, say);
  if (kind === 'containers') {
    return inState(parts, async (state) => {
      await removeContainersOf((owner) => !existsSync(owner) || isAbandoned(owner));
      return startContainers({ parts, secrets: loadSecrets({ state }), owner: state, say });
    });
  }
  return inState(parts, () =>
    Promise.resolve({ addresses: givenAddresses(process.env, parts), stop: () => Promise.resolve() }),
  );
}

async function startOnCluster(
  parts: ReadonlySet<InfrastructurePart>,
  say: (line: string) => void,
): Promise<RunSystem> {
  const system = await startSystem({ parts: [...parts].filter((part) => part !== 'redis'), say });
  try {
    const { TURNOUT_TEST_STATE: state = '' } = system.env;
    const layout = layoutOfRun(state);
    const { url: REDIS_URL } = await startRedisCluster({
      layout,
      password: loadSecrets(layout).redisPassword,
      say,
    });
    return { env: { ...system.env, REDIS_URL }, stop: () => system.stop() };
  } catch (error) {
    await system.stop();
    throw error;
  }
}

interface Addressed {
  addresses: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

async function inState(
  parts: ReadonlySet<InfrastructurePart>,
  start: (state: string) => Promise<Addressed>,
): Promise<RunSystem> {
  await destroyAbandonedRuns();
  const state = createRunState();
  let running: Addressed | undefined;
  const stop = async () => {
    await destroyRunState(state);
    await running?.stop();
  };
  try {
    running = await start(state);
    if (parts.has('litellm') && parts.has('upstream')) await warmUp(running.addresses);
    return { env: { ...running.addresses, ...keysOf(loadSecrets({ state }), state) }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const VARIABLES: Readonly<Record<InfrastructurePart, readonly string[]>> = {
  kafka: ['KAFKA_BROKERS'],
  redis: ['REDIS_URL'],
  'cache-redis': ['CACHE_REDIS_URL'],
  litellm: ['LITELLM_URL', 'LITELLM_MASTER_KEY'],
  upstream: ['UPSTREAM_URL'],
};

/** Throws an error that lists the missing variables. */
export function givenAddresses(
  env: Readonly<NodeJS.Dict<string>>,
  parts: ReadonlySet<InfrastructurePart>,
): Record<string, string> {
  const names = [...parts].flatMap((part) => VARIABLES[part]);
  const missing = names.filter((name) => !env[name]);
  if (missing.length > 0) throw new Error(`TURNOUT_TEST_SYSTEM=environment needs ${missing.join(', ')}`);
  const given = Object.fromEntries(names.map((name) => [name, env[name] ?? '']));
  const upstream = given['UPSTREAM_URL'];
  return upstream === undefined
    ? given
    : { ...given, LEGACY_BASE_URL: `${upstream}/v1`, LEGACY_API_KEY: 'simulator' };
}
