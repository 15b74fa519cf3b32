import { controlKeys } from '../../shared/rollout/control/control-keys.ts';
import { readStatus, type RolloutStatus } from '../../shared/rollout/control/read-status.ts';
import { type OperatorContext } from '../context.ts';
import { needing, withStores } from '../stores.ts';

export function statusOf({ settings }: OperatorContext): Promise<RolloutStatus> {
  const read = settings();
  return withStores(read, ({ redis, addresses }) =>
    needing(addresses.redis, readStatus(redis, controlKeys(read.REDIS_PREFIX))),
  );
}
