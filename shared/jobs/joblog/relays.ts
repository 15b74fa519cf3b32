import { type Outbox, type OutboxRow } from './outbox.ts';

/** The outcomes that this process has written and is carrying on. */
export interface Relays {
  /** Begins to carry it; nobody waits for it, and the sweep comes after it. */
  begin(row: OutboxRow): void;
  /** Waits for those that are under way. */
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
