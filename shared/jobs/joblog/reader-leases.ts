import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { type JobKeys } from '../../platform/redis/keys.ts';

/** How long a process counts as alive after its last renewal. After that, its readers are removed from their jobs. Milliseconds. */
const LEASE_MS = 10_000;
const RENEW_MS = 2_500;

export interface ReaderLease {
  /** Renews now, for a process that was frozen for a while. Resolves also when the renewal failed, which is logged. */
  renew(): Promise<void>;
  /** Stops the renewal and ends the lease now. */
  end(): Promise<void>;
}

/** Renews this process's lease until it is ended. */
export function keepReaderLease(redis: Redis, keys: JobKeys, channel: string, log: Logger): ReaderLease {
  const renew = async () => {
    try {
      await redis.set(keys.readerLease(channel), '1', 'PX', LEASE_MS);
    } catch (error) {
      log.warn({ err: error }, 'Cannot renew the reader lease; retrying in 2.5 s');
    }
  };
  void renew();
  const timer = setInterval(() => void renew(), RENEW_MS);
  return {
    renew,
    end: async () => {
      clearInterval(timer);
      await redis.del(keys.readerLease(channel));
    },
  };
}

export interface ReaderLeases {
  /** The channels among these whose leases have expired. */
  deadAmong(channels: readonly string[]): Promise<string[]>;
}

export function createReaderLeases(redis: Redis, keys: JobKeys): ReaderLeases {
  return {
    deadAmong: async (channels) => {
      const alive = await Promise.all(channels.map((channel) => redis.exists(keys.readerLease(channel))));
      return channels.filter((_, i) => alive[i] === 0);
    },
  };
}
