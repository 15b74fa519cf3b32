import { randomBytes } from 'node:crypto';
import { parseEnv } from 'node:util';
import { freePort } from '../../../stack/ports.ts';
import { docker } from './engine.ts';

/** docker-compose.yml as it stands, under a name and ports of its own. */
export interface Composition {
  /** The proxy, without `/v1`. */
  readonly url: string;
  /** `docker compose ...` of this composition. */
  readonly compose: (...args: string[]) => Promise<string>;
  /** Builds what is not built, starts what does not run, and waits until all is healthy. */
  readonly up: (...args: string[]) => Promise<void>;
  /** Ids of the running containers of a service. */
  readonly containersOf: (service: string) => Promise<string[]>;
  /** Keys, as `prepare` has made them. */
  readonly keys: () => Promise<NodeJS.Dict<string>>;
  /** Everything goes, volumes too. */
  readonly down: () => Promise<void>;
  /** Containers, volumes and networks that are there. */
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
