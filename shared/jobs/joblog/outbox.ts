import { type Outcome, outcome } from '../../contracts/outcome.ts';
import { OUTCOME_TYPE } from '../../contracts/job-message.ts';
import { toHeaders } from '../../contracts/cloud-event.ts';
import { type Producer } from '../../platform/kafka/port.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { type JobKeys } from '../../platform/redis/keys.ts';
import { type CompletionHooks } from './completion-hooks.ts';
import { type JobLog } from './job-log.ts';
import { periodically } from '../../platform/util/periodically.ts';

/**
 * Publishes outcomes from the outbox rows, which the finishing script wrote, to `turnout.events`.
 *
 *   row with hooks -> split from its hooks (`completion-hooks.ts` runs them) -> published -> removed
 *
 * A failing hook therefore never publishes an outcome again, and a Kafka outage delays no hook. The job's record stays until its row is
 * removed.
 *
 * The process that ended the job relays its row at once. If the row is still there after `ABANDONED_MS`, that process died or Kafka was
 * unavailable, and the sweep of one process relays it. So an outcome may be published twice, always with the same event id.
 */
export interface Outbox extends Relays {
  /** Relays the row that this process has just written. Never rejects: the sweep retries a failure. */
  relay(row: OutboxRow): Promise<void>;
  start(): void;
  /** Stops the sweep, and waits until all relays that were started have ended. */
  close(): Promise<void>;
}

/** What a process does with the rows that it writes. */
export interface Relays {
  /** Starts to relay the row in the background. The outbox sweep retries a failure. */
  begin(row: OutboxRow): void;
}

export interface OutboxRow {
  /** The row's id in the bucket's stream. */
  row: string;
  outcome: Outcome;
  /** The outcome's JSON in the row, with fields that a later version may have added; absent when this process has just written it. */
  written?: string;
  hookNames: readonly string[];
}

interface OutboxOptions {
  redis: Redis;
  keys: JobKeys;
  jobLog: Pick<JobLog, 'published'>;
  producer: Producer;
  topic: string;
  source: string;
  hooks: Pick<CompletionHooks, 'take' | 'run'>;
  /** Releases the job's slots in the scheduler and the open-job limiter. Idempotent by job. */
  ended: (outcome: Outcome) => Promise<void>;
  logger: Logger;
}

const ABANDONED_MS = 5_000;
const SWEEP_MS = 2_000;
const ROWS_AT_ONCE = 500;
/** A sweep that takes longer overlaps with another one, which is safe. */
const LEASE_MS = 10_000;

export function createOutbox(options: OutboxOptions): Outbox {
  const { redis, keys, jobLog, producer, topic, source, hooks, ended, logger } = options;
  /** By stream: where its next sweep begins. */
  const from = new Map<string, string>();

  async function publish(event: Outcome, value = JSON.stringify(event)): Promise<void> {
    const headers = toHeaders({ id: event.id, type: OUTCOME_TYPE, source });
    await producer.send({ topic, key: event.jobId, value, headers });
  }

  async function relay({ row, outcome: event, written, hookNames }: OutboxRow): Promise<void> {
    const { jobId } = event;
    const parted = hookNames.length === 0 ? row : await hooks.take(jobId, row);
    if (parted === '') return; // another process has split it, and relays it
    const hooked = hookNames.length === 0 ? Promise.resolve() : hooks.run(jobId, hookNames);
    await allDone([publish(event, written), ended(event)]).then(
      () => jobLog.published(jobId, parted),
      async (error: unknown) => {
        await hooked;
        throw error;
      },
    );
    await hooked;
  }

  async function sweep(): Promise<void> {
    const lease = keys.outboxLease();
    if ((await redis.set(lease, '1', 'PX', LEASE_MS, 'NX')) === null) return;
    const failures: unknown[] = [];
    for (const stream of keys.outboxes()) failures.push(...(await sweepStream(stream)));
    await redis.del(lease);
    if (failures.length > 0) throw failures[0];
  }

  /** Unreadable rows delay no other row: after a full page, the next sweep continues behind its last row. */
  async function sweepStream(stream: string): Promise<unknown[]> {
    const until = `${Date.now() - ABANDONED_MS}`;
    const rows = await redis.xrange(stream, from.get(stream) ?? '-', until, 'COUNT', ROWS_AT_ONCE);
    const last = rows.length < ROWS_AT_ONCE ? undefined : rows.at(-1)?.[0];
    if (last === undefined) from.delete(stream);
    else from.set(stream, `(${last}`);
    return failuresOf(rows.map(async ([row, fields]) => relay(readRow(row, fields))));
  }

  const work = periodically({
    everyMs: SWEEP_MS,
    run: sweep,
    onError: (error) => logger.warn({ err: error }, 'Outbox sweep failed; retrying in 2 s'),
  });
  const underWay = new Set<Promise<void>>();

  async function relayOrWarn(row: OutboxRow): Promise<void> {
    try {
      await relay(row);
    } catch (error) {
      logger.warn(
        { err: error, jobId: row.outcome.jobId },
        'Outbox relay failed; the outbox sweep will retry',
      );
    }
  }

  return {
    relay: relayOrWarn,
    begin: (row) => {
      const relayed = relayOrWarn(row).finally(() => underWay.delete(relayed));
      underWay.add(relayed);
    },
    start: work.start,
    close: async () => {
      await Promise.all(underWay);
      await work.close();
    },
  };
}

function readRow(row: string, [, json = '', , owed = '']: readonly string[]): OutboxRow {
  return {
    row,
    outcome: outcome.parse(JSON.parse(json)),
    written: json,
    hookNames: owed.split(' ').filter((name) => name !== ''),
  };
}

/** Waits until all have settled, then throws the first failure. */
async function allDone(work: readonly Promise<void>[]): Promise<void> {
  const failures = await failuresOf(work);
  if (failures.length > 0) throw failures[0];
}

/** Waits until all have settled. */
async function failuresOf(work: readonly Promise<void>[]): Promise<unknown[]> {
  const results = await Promise.allSettled(work);
  return results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
}
