import { randomBytes } from 'node:crypto';
import { Gauge, type Registry } from 'prom-client';
import { createRemovals } from '../../../shared/platform/blobs/removals.ts';
import { createStoreIdentity } from '../../../shared/platform/blobs/store-identity.ts';
import { createSweepState, type SweepStop } from '../../../shared/platform/blobs/sweep-state.ts';
import { type Config } from '../../../shared/platform/config/schema.ts';
import { type Releasers } from '../../../shared/platform/lifecycle/releasers.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { blobKeys, type BlobKeys } from '../../../shared/platform/redis/keys.ts';
import { periodically } from '../../../shared/platform/util/periodically.ts';
import { createBlobSweep } from './blob-sweep.ts';
import { type ApiDependencies } from '../api/dependencies.ts';
import { sweptKinds } from './swept-kinds.ts';

interface SweepsOptions {
  config: Pick<Config, 'RESPONSE_RETENTION_MS' | 'REDIS_PREFIX'>;
  deps: Pick<ApiDependencies, 'blobs' | 'files' | 'jobLog' | 'redis'>;
  releasers: Releasers;
  registry: Registry;
  log: Logger;
}

const EVERY_MS = 600_000;
/** Longer than the pause between two sweeps, so the process that swept keeps the lease while it runs. */
const LEASE_MS = 2 * EVERY_MS;

/** Sweeps the blob store now and then periodically, in one ingress at a time, until the process closes. */
export function startSweeps({ config, deps, releasers, registry, log }: SweepsOptions): void {
  const { blobs, redis } = deps;
  const keys = blobKeys(config.REDIS_PREFIX);
  let closing = false;
  const swept = createBlobSweep({
    blobs,
    removals: createRemovals(redis, keys),
    state: createSweepState(redis, keys),
    log,
    identity: createStoreIdentity({ redis, keys, blobs }),
    kinds: sweptKinds(deps, config.RESPONSE_RETENTION_MS),
    closing: () => closing,
  });
  const report = stopGauge(registry);
  const token = randomBytes(8).toString('hex');

  async function sweepIfOurs(): Promise<void> {
    report((await holdLease(redis, keys, token)) ? await swept.sweep() : undefined);
  }
  const onError = (error: unknown) =>
    log.warn({ err: error }, 'Blob store sweep failed; retrying at the next interval');
  const work = periodically({ everyMs: EVERY_MS, run: sweepIfOurs, onError });
  releasers.defer('blob sweep', async () => {
    closing = true;
    await work.close();
    await first;
  });
  // Sweeps at once so that the store gets its identity before the first body is stored.
  const first = sweepIfOurs().catch(onError);
  work.start();
}

/** Two holders at the same moment are harmless, because every step of a sweep can be repeated. */
async function holdLease(redis: Redis, keys: BlobKeys, token: string): Promise<boolean> {
  const key = keys.sweepLease();
  if ((await redis.set(key, token, 'PX', LEASE_MS, 'NX')) !== null) return true;
  if ((await redis.get(key)) !== token) return false;
  return (await redis.pexpire(key, LEASE_MS)) === 1;
}

function stopGauge(registry: Registry): (stop: SweepStop | undefined) => void {
  const gauge = new Gauge({
    name: 'turnout_blob_sweep_stopped',
    help: '1 while the blob store sweep is stopped and removes nothing, by reason; see `bin/turnout blobs status`.',
    labelNames: ['reason'],
    registers: [registry],
  });
  return (stop) => {
    gauge.reset();
    if (stop) gauge.set({ reason: stop.reason }, 1);
  };
}
