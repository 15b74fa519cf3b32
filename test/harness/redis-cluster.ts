import { Redis } from 'ioredis';
import { ensureRedisServer } from '../../stack/install/programs.ts';
import { type Layout } from '../../stack/layout.ts';
import { freePort } from '../../stack/ports.ts';
import { ensureRunning, type ProcessSpec } from '../../stack/process.ts';
import { prepareRedis, redisUrl } from '../../stack/redis.ts';
import { until } from '../../stack/until.ts';
import { killRecorded } from './kill.ts';

interface ClusterOptions {
  layout: Layout;
  password: string;
  say: (line: string) => void;
}

const NODES = 3;
const SLOTS = 16_384;

export interface RedisCluster {
  url: string;
  /** Kills a node with SIGKILL and starts it again with its data. */
  restart(node: number): Promise<void>;
}

/** Starts a Redis Cluster of three masters as processes of the run, which stops them at its end. */
export async function startRedisCluster({ layout, password, say }: ClusterOptions): Promise<RedisCluster> {
  const server = await ensureRedisServer(`${layout.data}/cluster`, { cache: layout.cache, say });
  const taken = new Set<number>();
  const nextPort = async () => {
    const port = await freePort(taken);
    taken.add(port);
    return port;
  };
  const nodes = [];
  const specs: ProcessSpec[] = [];
  for (let one = 1; one <= NODES; one += 1) {
    const [port, bus, name] = [await nextPort(), await nextPort(), `redis-${one}`];
    const more = [
      ['cluster-enabled', 'yes'],
      ['cluster-port', String(bus)],
      ['cluster-config-file', `${name}-nodes.conf`],
    ] as const;
    const spec = prepareRedis({ role: 'redis', name, server, port, password, more }, layout);
    await ensureRunning(spec, layout.run);
    specs.push(spec);
    nodes.push({ port, bus, redis: new Redis(redisUrl(`127.0.0.1:${port}`, password)) });
  }
  try {
    await join(nodes);
  } finally {
    for (const { redis } of nodes) redis.disconnect();
  }
  say(`redis: a cluster on ports ${nodes.map(({ port }) => port).join(', ')}`);
  return {
    url: redisUrl(`127.0.0.1:${nodes[0]?.port ?? ''}`, password).replace('redis:', 'redis+cluster:'),
    restart: async (node) => {
      const spec = specs[node];
      if (!spec) throw new Error(`There is no node ${node}`);
      await killRecorded(layout.run, spec.name);
      await ensureRunning(spec, layout.run);
    },
  };
}

interface Node {
  port: number;
  bus: number;
  redis: Redis;
}

async function join(nodes: readonly Node[]): Promise<void> {
  const share = Math.ceil(SLOTS / nodes.length);
  for (const [at, { redis }] of nodes.entries())
    await redis.call('CLUSTER', 'ADDSLOTSRANGE', at * share, Math.min(SLOTS, (at + 1) * share) - 1);
  const [first, ...others] = nodes;
  for (const { port, bus } of others) await first?.redis.call('CLUSTER', 'MEET', '127.0.0.1', port, bus);
  const whole = async () => {
    const infos = await Promise.all(nodes.map(({ redis }) => redis.cluster('INFO')));
    return infos.every(
      (info) => info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes.length}`),
    );
  };
  if (!(await until(whole, { timeoutMs: 30_000 })))
    throw new Error('The Redis nodes did not form a cluster within 30 s');
}
