import { controlKeys } from '../../shared/control/control-keys.ts';
import { readStatus, type RolloutStatus } from '../../shared/control/read-status.ts';
import { type OperatorContext } from '../context.ts';
import { needing, withStores } from '../stores.ts';

export function statusOf({ settings }: OperatorContext): Promise<RolloutStatus> {
  const read = settings();
  return withStores(read, ({ redis, places }) =>
    needing(places.redis, readStatus(redis, controlKeys(read.REDIS_PREFIX))),
  );
}
