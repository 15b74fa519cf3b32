import { type Producer } from '../kafka/port.ts';
import { type Gate } from '../gate/gate.ts';
import { type Steadiness } from '../redis/steadiness.ts';
import { type FairDispatch } from '../scheduling/fair-dispatch.ts';
import { tokensOf } from '../scheduling/job-cost.ts';
import { type CompletionHooks, createCompletionHooks } from './completion-hooks.ts';
import { createDutyHandlers, type DutyHandlersOptions } from './duty-handlers.ts';
import { createOutbox } from './outbox.ts';
import { createReaderLeases } from './reader-leases.ts';
import { createRelays, type Relays } from './relays.ts';
import { createSweep } from './sweep.ts';

interface CaretakerOptions extends DutyHandlersOptions {
  producer: Producer;
  /** `turnout.events` */
  topic: string;
  source: string;
  /** Of jobs that have ended. */
  scheduler: Pick<FairDispatch, 'ended' | 'slots'>;
  gate: Pick<Gate, 'leave' | 'undo'>;
  steadiness: Pick<Steadiness, 'isSteady'>;
}

/** What every router and worker does beside its work. */
export interface Caretaker {
  /** Carries on the outcomes that this process writes. */
  relays: Relays;
  hooks: Pick<CompletionHooks, 'waiting'>;
  /** Waits for those that are under way. */
  close(): Promise<void>;
}

/** Ends the jobs that nobody else ends, and carries on what is owed for those that have ended. */
export function startCaretaker(options: CaretakerOptions): Caretaker {
  const { redis, keys, jobLog, producer, topic, source, scheduler, gate, steadiness, log } = options;
  const duties = createDutyHandlers(options);
  const { handlers } = duties;
  const hooks = createCompletionHooks({ redis, keys, jobLog, handlers, log });
  const outbox = createOutbox({
    ...{ redis, keys, producer, topic, source, hooks, logger: log },
    ended: async (outcome) => {
      const { jobId, userHash, cached } = outcome;
      // What the cache has answered took no slot, and says nothing of how fast these come free.
      if (cached) return gate.undo(jobId, userHash);
      await Promise.all([
        scheduler.ended(jobId, tokensOf(outcome)),
        gate.leave(jobId, userHash, scheduler.slots()),
      ]);
    },
  });
  const relays = createRelays(outbox);
  const leases = createReaderLeases(redis, keys);
  const sweep = createSweep({ redis, keys, jobLog, relays, leases, steadiness, log });
  outbox.start();
  hooks.start();
  sweep.start();
  return {
    relays,
    hooks,
    close: async () => {
      await relays.idle();
      await sweep.close();
      await outbox.close();
      await hooks.close();
      await duties.close();
    },
  };
}
