import { type Outbox, type OutboxRow } from './outbox.ts';

/** The relays of outbox rows that this process has written. */
export interface Relays {
  /** Starts to relay the row in the background. The outbox sweep retries a failure. */
  begin(row: OutboxRow): void;
  /** Waits until all started relays have ended. */
  idle(): Promise<void>;
}

export function createRelays(outbox: Pick<Outbox, 'relay'>): Relays {
  const underWay = new Set<Promise<void>>();
  return {
    begin: (row) => {
      const relayed = outbox.relay(row).finally(() => underWay.delete(relayed));
      underWay.add(relayed);
    },
    idle: async () => {
      await Promise.all(underWay);
    },
  };
}
