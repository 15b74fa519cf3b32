import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  GenericContainer,
  getContainerRuntimeClient,
  Network,
  type StartedTestContainer,
  Wait,
} from 'testcontainers';
import { parse } from 'yaml';
import { z } from 'zod';
import { addresses, type InfrastructurePart } from '../../../stack/infrastructure.ts';
import { brokerSettings } from '../../../stack/kafka.ts';
import { repositoryRoot } from '../../../stack/layout.ts';
import { litellmConfig } from '../../../stack/litellm-config.ts';
import { freePort } from '../../../stack/ports.ts';
import { redisSettings, type RedisRole } from '../../../stack/redis.ts';
import { type Secrets } from '../../../stack/secrets.ts';
import { docker } from './engine.ts';

export interface ContainerSystem {
  /** Addresses under the services' variable names. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Removes every container and the network. Safe to call again. */
  stop(): Promise<void>;
}

interface ContainerSystemOptions {
  parts: ReadonlySet<InfrastructurePart>;
  secrets: Secrets;
  /** The folder of the run that owns the containers. */
  owner: string;
  say: (line: string) => void;
}

/** The label with the owner, by which the containers of a dead owner are found. */
const OWNER = 'turnout.test-run';
const START_TIMEOUT_MS = 180_000;
const KAFKA_PORT = 9092;
const SIMULATOR_PORT = 14_010;

/** The parts' names in docker-compose.yml: tests and users run the same images. */
const composed: Readonly<Record<InfrastructurePart, string>> = {
  kafka: 'kafka',
  redis: 'redis',
  'cache-redis': 'cache-redis',
  litellm: 'litellm',
  upstream: 'simulator',
};
const composition = z
  .object({ services: z.record(z.string(), z.object({ image: z.string(), build: z.unknown().optional() })) })
  .parse(parse(readFileSync(join(repositoryRoot, 'docker-compose.yml'), 'utf8'), { merge: true }));

function imageOf(part: InfrastructurePart): string {
  const service = composition.services[composed[part]];
  if (!service) throw new Error(`docker-compose.yml has no ${composed[part]}`);
  return service.image;
}

/** Builds the images that no registry has. Docker's build cache skips what has not changed. */
async function buildImages(
  parts: ReadonlySet<InfrastructurePart>,
  say: (line: string) => void,
): Promise<void> {
  const built = [...parts]
    .map((part) => composed[part])
    .filter((name) => composition.services[name]?.build !== undefined);
  if (built.length === 0) return;
  say(`building images: ${built.join(', ')}`);
  await docker(['compose', '--profile', 'simulator', 'build', ...built]);
}

/** Starts real Kafka, Redis, LiteLLM and the simulator in their own containers, with testcontainers. */
export async function startContainers(options: ContainerSystemOptions): Promise<ContainerSystem> {
  const { parts, secrets, say } = options;
  await buildImages(parts, say);
  const { info } = await getContainerRuntimeClient();
  const network = await new Network().start();
  const started: StartedTestContainer[] = [];
  const stop = async () => {
    await Promise.all(started.splice(0).map((container) => container.stop({ timeout: 0 })));
    await network.stop();
  };
  const start = async (part: InfrastructurePart): Promise<[InfrastructurePart, number]> => {
    const { container, port } = await describe[part](secrets, info.containerRuntime.host);
    const running = await container
      .withNetwork(network)
      .withNetworkAliases(part)
      .withLabels({ [OWNER]: options.owner })
      .withStartupTimeout(START_TIMEOUT_MS)
      .start();
    started.push(running);
    say(`${part}: in container ${running.getId().slice(0, 12)}`);
    return [part, running.getMappedPort(port)];
  };
  const results = await Promise.allSettled([...parts].map(start));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) {
    await stop();
    throw failed.reason;
  }
  const ports = Object.fromEntries(
    results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
  );
  return { addresses: addresses({ ports, secrets, parts, host: info.containerRuntime.host }), stop };
}

/**
 * Removes the containers of finished runs, and the networks that were created for them. Every container is also in Docker's own network
 * `bridge`, which stays.
 */
export async function removeContainersOf(isOver: (owner: string) => boolean): Promise<void> {
  const format = `{{.ID}} {{.Networks}} {{.Label "${OWNER}"}}`;
  const lines = (
    await docker(['ps', '--all', '--no-trunc', '--filter', `label=${OWNER}`, '--format', format])
  ).split('\n');
  const abandoned = lines
    .filter(Boolean)
    .map((line) => line.split(' '))
    .filter(([, , owner = '']) => isOver(owner));
  const networks = new Set(abandoned.flatMap(([, names = '']) => names.split(',')));
  for (const [id = ''] of abandoned) await docker(['rm', '--force', '--volumes', id]);
  for (const network of await createdNetworks()) {
    if (networks.has(network)) await docker(['network', 'rm', network]);
  }
}

/** The names of all networks but those that Docker itself has. */
async function createdNetworks(): Promise<string[]> {
  const names = await docker(['network', 'ls', '--filter', 'type=custom', '--format', '{{.Name}}']);
  return names.split('\n').filter(Boolean);
}

interface Described {
  container: GenericContainer;
  /** The port inside the container. */
  port: number;
}

const describe: Readonly<
  Record<InfrastructurePart, (secrets: Secrets, host: string) => Promise<Described> | Described>
> = {
  kafka: async (_secrets, host) => {
    // Brokers advertise their port to clients, so it must be known before the container starts.
    const hostPort = await freePort(new Set());
    const settings = {
      ...brokerSettings,
      'controller.quorum.voters': '1@localhost:9093',
      listeners: `PLAINTEXT://:${KAFKA_PORT},CONTROLLER://:9093`,
      'advertised.listeners': `PLAINTEXT://${host}:${hostPort}`,
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      'log.dirs': '/var/lib/kafka/data',
    };
    const container = new GenericContainer(imageOf('kafka'))
      .withEnvironment({ KAFKA_HEAP_OPTS: '-Xms128m -Xmx512m', ...asVariables(settings) })
      .withExposedPorts({ container: KAFKA_PORT, host: hostPort })
      .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/));
    return { container, port: KAFKA_PORT };
  },
  redis: (secrets) => redis('redis', secrets),
  'cache-redis': (secrets) => redis('cache-redis', secrets),
  litellm: ({ litellmMasterKey }) => {
    const container = new GenericContainer(imageOf('litellm'))
      .withEnvironment({ UPSTREAM_BASE_URL: `http://upstream:${SIMULATOR_PORT}/v1` })
      .withCopyContentToContainer([
        { target: '/config/litellm.yaml', content: litellmConfig({}, '../app/deploy/litellm') },
        { target: '/config/litellm-master-key', content: litellmMasterKey },
      ])
      .withExposedPorts(4000)
      .withWaitStrategy(Wait.forHttp('/health/readiness', 4000));
    return { container, port: 4000 };
  },
  upstream: () => {
    const container = new GenericContainer(imageOf('upstream'))
      .withExposedPorts(SIMULATOR_PORT)
      .withWaitStrategy(Wait.forHttp('/livez', SIMULATOR_PORT));
    return { container, port: SIMULATOR_PORT };
  },
};

function redis(role: RedisRole, { redisPassword }: Secrets): Described {
  const settings = [...redisSettings(role), ['requirepass', redisPassword] as const];
  const container = new GenericContainer(imageOf(role))
    .withCommand(['redis-server', ...settings.flatMap(([name, value]) => [`--${name}`, value])])
    .withExposedPorts(6379)
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/));
  return { container, port: 6379 };
}

/** Settings as the environment variables that the official Kafka image takes. */
function asVariables(settings: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      `KAFKA_${name.toUpperCase().replaceAll('.', '_')}`,
      String(value),
    ]),
  );
}
