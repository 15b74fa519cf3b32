/** Installs and starts Kafka, the two Redis servers, LiteLLM and the simulator, and provides their addresses. */
import { join } from 'node:path';
import { ensureKafkaJars } from './install/jars.ts';
import { ensureJava, ensureRedisServer } from './install/programs.ts';
import { ensureVenv, type InstallContext } from './install/python.ts';
import { prepareKafka } from './kafka.ts';
import { type Layout, nodeCompileCache, repositoryRoot } from './layout.ts';
import { prepareLiteLlm } from './litellm.ts';
import { usesSimulator } from './litellm-config.ts';
import { ensureRunning, type ProcessSpec, type Started } from './process.ts';
import { prepareRedis, type RedisRole, redisUrl } from './redis.ts';
import type { Secrets } from './secrets.ts';

export const infrastructureParts = ['kafka', 'redis', 'cache-redis', 'litellm', 'upstream'] as const;
export type InfrastructurePart = (typeof infrastructureParts)[number];
export type PortName = InfrastructurePart | 'kafka-controller';

export interface InfrastructureOptions {
  readonly layout: Layout;
  readonly secrets: Secrets;
  readonly ports: Readonly<Record<PortName, number>>;
  /** The parts to run here. The others run elsewhere or are not needed. */
  readonly parts: ReadonlySet<InfrastructurePart>;
  /** Provider credentials and other settings for LiteLLM. */
  readonly settings: Readonly<Record<string, string>>;
  readonly say: (line: string) => void;
  /** The port that Kafka advertises to clients, if a proxy is in front of it. */
  readonly kafkaAdvertisedPort?: number | undefined;
}

export interface PartStarted {
  readonly name: string;
  readonly started: Started;
}

/** The parts that the stack has to run: those for which the settings name no existing server. */
export function partsToRun(settings: Readonly<Record<string, string>>): Set<InfrastructurePart> {
  const parts = new Set<InfrastructurePart>(infrastructureParts);
  const elsewhere = {
    KAFKA_BROKERS: 'kafka',
    REDIS_URL: 'redis',
    CACHE_REDIS_URL: 'cache-redis',
    LITELLM_URL: 'litellm',
  } as const;
  for (const [variable, part] of Object.entries(elsewhere)) {
    if ((settings[variable] ?? '') !== '') parts.delete(part);
  }
  if (!parts.has('litellm') || !usesSimulator(settings)) parts.delete('upstream');
  return parts;
}

interface Running extends Pick<InfrastructureOptions, 'secrets' | 'parts'> {
  ports: Readonly<Partial<Record<InfrastructurePart, number>>>;
  host?: string;
}

/** The addresses of the parts that run here, as variables for the services. */
export function addresses({ ports, secrets, parts, host = '127.0.0.1' }: Running): Record<string, string> {
  const at = (part: InfrastructurePart): string => `${host}:${ports[part] ?? ''}`;
  const redisAt = (part: RedisRole): string => redisUrl(at(part), secrets.redisPassword);
  const upstream = `http://${at('upstream')}`;
  const of: Record<InfrastructurePart, Record<string, string>> = {
    kafka: { KAFKA_BROKERS: at('kafka') },
    redis: { REDIS_URL: redisAt('redis') },
    'cache-redis': { CACHE_REDIS_URL: redisAt('cache-redis') },
    litellm: {
      LITELLM_URL: `http://${at('litellm')}`,
      LITELLM_MASTER_KEY: secrets.litellmMasterKey,
    },
    // The simulator is also the legacy backend, which calls a provider without LiteLLM in between.
    upstream: { UPSTREAM_URL: upstream, LEGACY_BASE_URL: `${upstream}/v1`, LEGACY_API_KEY: 'simulator' },
  };
  return Object.assign({}, ...[...parts].map((part) => of[part])) as Record<string, string>;
}

/**
 * Installs and starts all parts at the same time. The result has one promise for each part, so that a caller can continue before
 * LiteLLM is ready, which is by far the slowest.
 */
export function startInfrastructure(
  options: InfrastructureOptions,
): Map<InfrastructurePart, Promise<PartStarted>> {
  const start = async (part: InfrastructurePart): Promise<PartStarted> => {
    const spec = await prepare[part](options);
    const started = await ensureRunning(spec, options.layout.run);
    if (started !== 'already running') options.say(`${part}: ${started} on port ${spec.port}`);
    return { name: part, started };
  };
  // LiteLLM first: its Python imports take longer than everything else together.
  const slowestFirst = [...options.parts].sort(
    (one, other) => Number(other === 'litellm') - Number(one === 'litellm'),
  );
  return new Map(slowestFirst.map((part) => [part, start(part)]));
}

type Prepare = (options: InfrastructureOptions) => Promise<ProcessSpec>;

const context = ({ layout, say }: InfrastructureOptions): InstallContext => ({ cache: layout.cache, say });

const redis = async (role: RedisRole, options: InfrastructureOptions): Promise<ProcessSpec> => {
  const server = await ensureRedisServer(join(options.layout.data, role), context(options));
  const password = options.secrets.redisPassword;
  const maxMemory = options.settings['REDIS_MAX_MEMORY'];
  return prepareRedis({ role, server, port: options.ports[role], password, maxMemory }, options.layout);
};

const prepare: Readonly<Record<InfrastructurePart, Prepare>> = {
  kafka: async (options) => {
    const [java, jars] = await Promise.all([ensureJava(context(options)), ensureKafkaJars(context(options))]);
    const ports = {
      port: options.ports.kafka,
      controllerPort: options.ports['kafka-controller'],
      advertisedPort: options.kafkaAdvertisedPort,
    };
    return prepareKafka({ java, jars, ...ports, clusterId: options.secrets.kafkaClusterId }, options.layout);
  },
  redis: (options) => redis('redis', options),
  'cache-redis': (options) => redis('cache-redis', options),
  litellm: async (options) => {
    const venv = await ensureVenv('litellm', ['litellm'], context(options));
    const { ports, secrets, settings } = options;
    const upstreamUrl = `http://127.0.0.1:${ports.upstream}`;
    return prepareLiteLlm(
      { venv, port: ports.litellm, masterKey: secrets.litellmMasterKey, upstreamUrl, settings },
      options.layout,
    );
  },
  upstream: (options) => Promise.resolve(prepareUpstream({ port: options.ports.upstream }, options.layout)),
};

/** The upstream simulator, which takes the place of a model provider behind LiteLLM. */
function prepareUpstream(options: { port: number }, layout: Layout): ProcessSpec {
  const log = join(layout.logs, 'upstream.log');
  return {
    name: 'upstream',
    command: process.execPath,
    args: [join(repositoryRoot, 'test', 'upstream', 'main.ts')],
    env: { ...nodeCompileCache(layout), HOST: '127.0.0.1', PORT: String(options.port) },
    workingFolder: layout.state,
    port: options.port,
    health: { kind: 'http', url: `http://127.0.0.1:${options.port}/livez` },
    stdout: log,
    stderr: log,
    explainedBy: [log],
    startTimeoutMs: 30_000,
    stopTimeoutMs: 5000,
  };
}
