import { randomBytes } from 'node:crypto';
import { type ControlKeys } from '../../../shared/rollout/control/control-keys.ts';
import { type ControlState } from '../../../shared/contracts/control.ts';
import { readState } from '../../../shared/rollout/control/read-state.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { defineScript } from '../../../shared/platform/redis/script.ts';

/** After this time without a renewal, another instance may lead. */
const LEASE_MS = 3_000;

/** The right to change the control state. */
export interface LeaderLease {
  /** The number of the new term, or undefined while another instance leads. */
  acquire(): Promise<number | undefined>;
  /** False when the lease is lost. */
  renew(): Promise<boolean>;
  release(): Promise<void>;
  /** The last committed state. */
  committed(): Promise<ControlState | undefined>;
  /** Returns false and changes nothing when another instance has the lease, or the committed epoch is not `believed`. */
  commit(state: ControlState, believed: number): Promise<boolean>;
}

/** The lease for one holder, which may lead in several terms one after another. After a process freeze the holder finds its term over. */
export function createLease(redis: Redis, keys: ControlKeys): LeaderLease {
  const holder = randomBytes(8).toString('hex');
  const script = (name: string) => defineScript(redis, new URL(`${name}.lua`, import.meta.url));
  const [acquire, renew, commit] = [script('acquire'), script('renew'), script('commit')];
  const [lease, term, state] = [keys.lease, keys.term, keys.state];
  let held = '';

  return {
    acquire: async () => {
      const found = (await acquire([lease, term], [holder, LEASE_MS])) as number | null;
      if (found === null) return undefined;
      held = `${found}:${holder}`;
      return found;
    },
    renew: async () => (await renew([lease], [held, LEASE_MS])) === 1,
    release: async () => {
      await renew([lease], [held, 0]);
    },
    committed: async () => {
      const text = await redis.hget(state, 'json');
      if (text === null) return undefined;
      const read = readState(text);
      if (read instanceof Error) throw read;
      return read;
    },
    commit: async (next, believed) =>
      (await commit([lease, state], [held, believed, next.epoch, JSON.stringify(next)])) === 1,
  };
}
