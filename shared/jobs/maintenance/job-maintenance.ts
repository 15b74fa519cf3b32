import { type Producer } from '../../platform/kafka/port.ts';
import { type Steadiness } from '../../platform/redis/steadiness.ts';
import { type CompletionHooks, createCompletionHooks } from '../joblog/completion-hooks.ts';
import { createHookHandlers, type HookHandlersOptions } from './hook-handlers.ts';
import { createOutbox, type Relays } from '../joblog/outbox.ts';
import { createReaderLeases } from '../joblog/reader-leases.ts';
import { createSlotRelease, type SlotReleaseOptions } from './slot-release.ts';
import { createSweep } from '../joblog/sweep.ts';

interface JobMaintenanceOptions extends HookHandlersOptions, SlotReleaseOptions {
  producer: Producer;
  /** `turnout.events` */
  topic: string;
  source: string;
  steadiness: Pick<Steadiness, 'isSteady'>;
}

/** The maintenance that every router and worker runs. */
export interface JobMaintenance {
  /** Publishes the outcomes that this process writes. */
  relays: Relays;
  hooks: Pick<CompletionHooks, 'waiting'>;
  /** Stops the maintenance and waits for the relays that are running. */
  close(): Promise<void>;
}

/** Ends jobs that no other process ends (`sweep.ts`), publishes the outcomes of ended jobs and runs their completion hooks. */
export function startJobMaintenance(options: JobMaintenanceOptions): JobMaintenance {
  const { redis, keys, jobLog, producer, topic, source, scheduler, openJobLimiter, steadiness, log } =
    options;
  const { handlers, close } = createHookHandlers(options);
  const hooks = createCompletionHooks({ redis, keys, jobLog, handlers, log });
  const outbox = createOutbox({
    redis,
    keys,
    jobLog,
    producer,
    topic,
    source,
    hooks,
    logger: log,
    ended: createSlotRelease({ scheduler, openJobLimiter }),
  });
  const leases = createReaderLeases(redis, keys);
  const sweep = createSweep({ redis, keys, jobLog, relays: outbox, leases, steadiness, log });
  outbox.start();
  hooks.start();
  sweep.start();
  return {
    relays: outbox,
    hooks,
    close: async () => {
      await sweep.close();
      await outbox.close();
      await hooks.close();
      await close();
    },
  };
}
