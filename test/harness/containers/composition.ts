import { randomBytes } from 'node:crypto';
import { parseEnv } from 'node:util';
import { freePort } from '../../../stack/ports.ts';
import { docker } from './engine.ts';

/** docker-compose.yml unchanged, under its own project name and ports. */
export interface Composition {
  /** The proxy's URL, without `/v1`. */
  readonly url: string;
  /** Runs `docker compose ...` for this composition. */
  readonly compose: (...args: string[]) => Promise<string>;
  /** Builds missing images, starts stopped services, and waits until all are healthy. */
  readonly up: (...args: string[]) => Promise<void>;
  /** Ids of the running containers of a service. */
  readonly containersOf: (service: string) => Promise<string[]>;
  /** The keys that `prepare` generated. */
  readonly keys: () => Promise<NodeJS.Dict<string>>;
  /** Removes everything, including volumes. */
  readonly down: () => Promise<void>;
  /** The containers, volumes and networks that exist. */
  readonly left: () => Promise<string[]>;
}

export async function createComposition(): Promise<Composition> {
  const name = `turnout-test-${randomBytes(4).toString('hex')}`;
  const taken = new Set<number>();
  const port = await freePort(taken);
  const metricsPort = await freePort(taken.add(port));
  const env = { PORT: String(port), METRICS_PORT: String(metricsPort) };
  const compose = (...args: string[]) =>
    docker(
      ['compose', '--project-name', name, '--profile', 'simulator', '--progress', 'plain', ...args],
      env,
    );
  const ofThis = `label=com.docker.compose.project=${name}`;
  const list = async (...args: string[]) =>
    (await docker([...args, '--filter', ofThis])).split('\n').filter(Boolean);
  return {
    url: `http://127.0.0.1:${port}`,
    compose,
    up: async (...args) => {
      await compose('up', '--wait', '--wait-timeout', '240', ...args);
    },
    containersOf: async (service) => (await compose('ps', '--quiet', service)).split('\n').filter(Boolean),
    keys: async () => parseEnv(await compose('exec', '-T', 'ingress', 'cat', '/config/client.env')),
    down: async () => {
      await compose('down', '--volumes', '--remove-orphans', '--timeout', '30');
    },
    left: async () =>
      (
        await Promise.all([
          list('ps', '--all', '--quiet'),
          list('volume', 'ls', '--quiet'),
          list('network', 'ls', '--quiet'),
        ])
      ).flat(),
  };
}
