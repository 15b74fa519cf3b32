import { type Producer } from '../kafka/port.ts';
import { type Logger } from '../log/logger.ts';
import { type Redis } from '../redis/connect.ts';
import { type JobKeys } from '../redis/keys.ts';
import { type DutyHandlers } from './duties.ts';
import { type JobLog } from './job-log.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import { createReaderLeases } from './reader-leases.ts';
import { createSweep } from './sweep.ts';

interface CaretakerOptions {
  redis: Redis;
  keys: JobKeys;
  jobLog: JobLog;
  producer: Producer;
  /** `turnout.events` */
  topic: string;
  source: string;
  handlers: DutyHandlers;
  log: Logger;
}

/** What every router and worker does beside its work: publish the outcomes, and end the jobs that nobody else ends. */
export function startCaretaker(options: CaretakerOptions): { outbox: Outbox; close: () => Promise<void> } {
  const { redis, keys, jobLog, producer, topic, source, handlers, log } = options;
  const outbox = createOutbox({ redis, keys, producer, topic, source, jobLog, handlers, logger: log });
  const sweep = createSweep({ redis, keys, jobLog, leases: createReaderLeases(redis, keys), log });
  outbox.start();
  sweep.start();
  return {
    outbox,
    close: async () => {
      await sweep.close();
      await outbox.close();
    },
  };
}
