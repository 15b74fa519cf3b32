import { Queue } from 'bullmq';
import { type Summary } from '../../../services/metrics/summary.ts';
import { isTerminal, type JobEvent } from '../../../shared/contracts/job-event.ts';
import { bullPrefix, CONTEXT_QUEUE, DOCUMENT_QUEUE, LLM_QUEUE } from '../../../shared/jobs/queues/names.ts';
import { jobKeys } from '../../../shared/platform/redis/keys.ts';
import { until } from '../../../stack/until.ts';
import { deadLetters, isOfLostRecord } from '../support/dead-letters.ts';
import { wholeLedger } from '../support/simulator.ts';
import { type Ground } from './ground.ts';
import { account, usageDifference } from './judge.ts';
import { scanKeys } from '../../harness/scan-keys.ts';

const WITHIN = { timeoutMs: 30_000, everyMs: 200 } as const;

interface Past {
  /** Number of unreadable messages that were sent. */
  poisonSent: number;
  /**
   * The job Redis lost its last writes: the usages of calls in that time are lost, and jobs whose outcomes are in Kafka may have lost their
   * records. The provider, the records and the metrics then no longer agree to the token.
   */
  failedOver: boolean;
}

/** What is wrong with the system after every client is done, in words. Empty if all invariants hold. */
export async function inspectAftermath(ground: Ground, past: Past): Promise<string[]> {
  const checks = [
    openJobs,
    outboxRows,
    bullmqJobs,
    expiries,
    runningCalls,
    everyRecord,
    ...(past.failedOver ? [] : [metrics]),
    unreadable,
  ];
  const found: string[] = [];
  for (const check of checks) found.push(...(await check(ground, past)));
  return found;
}

/** Waits until the value is the expected one. Returns a complaint with the last value if that does not happen. */
async function expectSoon<T>(what: string, wanted: T, ask: () => Promise<T>): Promise<string[]> {
  let last: T | undefined;
  const same = async () => JSON.stringify((last = await ask())) === JSON.stringify(wanted);
  return (await until(same, WITHIN))
    ? []
    : [`${what}: ${JSON.stringify(last)} instead of ${JSON.stringify(wanted)}`];
}

const openJobs = ({ store }: Ground) => expectSoon('open jobs', [], () => store.open());

const outboxRows = ({ redis, services }: Ground) =>
  expectSoon('rows in the outbox', 0, async () => {
    const lengths = await Promise.all(
      jobKeys(services.prefix)
        .outboxes()
        .map((outbox) => redis.xlen(outbox)),
    );
    return sum(lengths);
  });

async function bullmqJobs({ redis, services }: Ground): Promise<string[]> {
  const found: string[] = [];
  for (const name of [LLM_QUEUE, CONTEXT_QUEUE, DOCUMENT_QUEUE]) {
    const queue = new Queue(name, { connection: redis, prefix: bullPrefix(services.prefix) });
    const unfinished = async () => {
      const counts = await queue.getJobCounts('wait', 'active', 'delayed', 'waiting-children', 'prioritized');
      return sum(Object.values(counts));
    };
    found.push(...(await expectSoon(`unfinished nodes in BullMQ's ${name}`, 0, unfinished)));
    await queue.close();
  }
  return found;
}

async function recordsOf({ redis, services }: Ground): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of scanKeys(redis, `${services.prefix}:{b*}:job:*`)) keys.push(...page);
  return [...new Set(keys)].map((key) => key.slice(key.lastIndexOf(':') + 1));
}

/** The keys of every job must have an expiry. */
async function expiries(ground: Ground): Promise<string[]> {
  const keys = jobKeys(ground.services.prefix);
  const jobs = await recordsOf(ground);
  const lives = await Promise.all(
    jobs.flatMap((job) => [ground.redis.pttl(keys.record(job)), ground.redis.pttl(keys.log(job))]),
  );
  const immortal = lives.filter((life) => life === -1).length;
  return immortal === 0 ? [] : [`${immortal} keys of jobs never expire`];
}

const runningCalls = () =>
  expectSoon('calls that the provider still works on', 0, async () => (await wholeLedger()).totals.running);

/** Checks every record, including jobs no client knows: one terminal event each, no gap, and the usage that the provider counted. */
async function everyRecord({ store, ...ground }: Ground, { failedOver }: Past): Promise<string[]> {
  const { jobs: calls } = await wholeLedger();
  const found: string[] = [];
  for (const jobId of await recordsOf({ store, ...ground })) {
    const view = await store.view(jobId);
    if (!view || view.state === 'refused') continue;
    const events = view.entries.map(({ event }) => event);
    const ends = events.filter(isTerminal).length;
    if (ends !== 1) found.push(`${jobId} (${view.state}) has ${ends} terminal events`);
    if (view.entries.some(({ sequence }, at) => sequence !== at + 1))
      found.push(`${jobId}: the log has a gap`);
    const difference = usageDifference(calls[jobId] ?? [], events);
    if (difference > 0 && !failedOver)
      found.push(`${jobId}: ${difference} tokens of difference: ${account(calls[jobId] ?? [], events)}`);
  }
  return found;
}

/** The metrics must match the records exactly, in jobs and tokens. */
async function metrics(ground: Ground): Promise<string[]> {
  const logs = await Promise.all((await recordsOf(ground)).map((job) => ground.store.events(job)));
  return expectSoon('what the metrics count', countLogs(logs), async () => {
    const response = await fetch(`${ground.services.urlOf('metrics')}/summary`);
    return countSummary((await response.json()) as Summary);
  });
}

interface Counts {
  completed: number;
  failed: number;
  cancelled: number;
  reportedTokens: number;
  estimatedTokens: number;
}

function countLogs(logs: readonly JobEvent[][]): Counts {
  const events = logs.flat();
  const ends = (type: string) => events.filter((event) => isTerminal(event) && event.type === type).length;
  const tokens = (source: string) =>
    sum(
      events.map((event) =>
        event.type === 'usage' && event.source === source
          ? event.usage.prompt_tokens + event.usage.completion_tokens
          : 0,
      ),
    );
  return {
    completed: ends('completed'),
    failed: ends('failed'),
    cancelled: ends('cancelled'),
    reportedTokens: tokens('reported'),
    estimatedTokens: tokens('estimated'),
  };
}

function countSummary({ completed, errors, cancelled, tokens }: Summary): Counts {
  return {
    completed,
    failed: errors,
    cancelled,
    reportedTokens: tokens.reported.prompt + tokens.reported.completion,
    estimatedTokens: tokens.estimated.prompt + tokens.estimated.completion,
  };
}

/** Every unreadable message is in the dead-letter topic. One that was delivered twice has two letters with the same origin. */
const unreadable = ({ services }: Ground, { poisonSent }: Past) =>
  expectSoon('messages in the dead letters', poisonSent, async () => {
    const letters = await deadLetters(services.prefix);
    const others = letters.filter((letter) => !isOfLostRecord(letter));
    // A recreated topic reuses the origins of the deleted one, so the original id is part of the key.
    return new Set(others.map(({ origin, originalId }) => `${origin} ${originalId}`)).size;
  });

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
