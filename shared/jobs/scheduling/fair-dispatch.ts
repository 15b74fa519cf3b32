import { type Logger } from '../../platform/log/logger.ts';
import { type DecidedJob, type Dispatch, type FlowDispatch } from '../queues/dispatch.ts';
import { groupCommit } from '../../platform/util/group-commit.ts';
import { periodically } from '../../platform/util/periodically.ts';
import { type FairQueue, MOST_AT_ONCE, type Released, type SchedulerStep } from './fair-queue.ts';

/**
 * Hands decided jobs over in fair order: staged, then released into BullMQ as slots are free there. What a process of this kind hears
 * of (jobs that come, jobs that end, its own slots) goes into the next step; while one is under way, all that comes waits for the one
 * after it. A process that dies between a release and its BullMQ node leaves the job to whoever makes a step some seconds later.
 *
 * A job counts as handed over when BullMQ says that it has it. From then on each step names some jobs to be looked at again: one that is
 * open in the job log and that BullMQ will not run is released once more, so that no lost node leaves a job waiting for its deadline.
 */
export interface FairDispatch extends Dispatch {
  /**
   * A job has ended. `tokens`: what it came to; where that is not known, it was what it was taken for. Again for the same job it
   * changes nothing.
   */
  ended(jobId: string, tokens?: number): Promise<void>;
  /** Of all workers, by the last step; undefined before the first one. */
  slots(): number | undefined;
  /** A slot is free. Never rejects; does nothing where nothing waited lately. */
  pump(): void;
  start(): void;
}

interface FairDispatchOptions {
  queue: FairQueue;
  /** Where released jobs go. */
  flows: FlowDispatch;
  /** What the records of these jobs say; those that have ended are in neither list. */
  standingsOf: (jobIds: readonly string[]) => Promise<{ open: string[]; missing: string[] }>;
  /** Of a process that runs jobs. */
  worker?: WorkerSlots | undefined;
  log: Logger;
}

export interface WorkerSlots {
  id: string;
  /** How many jobs it runs at a time; 0 when it takes no more. */
  slots: () => number;
  /** The jobs that it holds. */
  held: () => readonly string[];
}

/** Others may have ended what this process waits for; and what was released has to be told of in time. */
const EVERY_MS = 1_000;

export function createFairDispatch({
  queue,
  flows,
  standingsOf,
  worker,
  log,
}: FairDispatchOptions): FairDispatch {
  const releases = new Set<Promise<void>>();
  let looking: Promise<void> | undefined;
  let last: Pick<Released, 'staged' | 'slots'> | undefined;
  const commit = groupCommit(makeStep, MOST_AT_ONCE);

  async function makeStep(steps: SchedulerStep[]): Promise<void> {
    const { payloads, staged, slots, due } = await queue.step({
      stage: steps.flatMap(({ stage = [] }) => stage),
      leave: steps.flatMap(({ leave = [] }) => leave),
      renew: steps.flatMap(({ renew = [] }) => renew),
      lost: steps.flatMap(({ lost = [] }) => lost),
      worker: steps.findLast((step) => step.worker)?.worker,
    });
    last = { staged, slots };
    if (due.length > 0) looking ??= lookAt(due).finally(() => (looking = undefined));
    if (payloads.length === 0) return;
    const release = handOver(payloads).finally(() => releases.delete(release));
    releases.add(release);
    if (payloads.length === MOST_AT_ONCE) releaseNext();
  }

  /** Never rejects: what was not handed over is released again. */
  async function handOver(payloads: readonly string[]): Promise<void> {
    try {
      const jobs = payloads.map((payload) => JSON.parse(payload) as DecidedJob);
      await flows.dispatch(jobs).catch((error: unknown) => {
        log.warn({ err: error }, 'Redis did not take every released job; those are released again');
      });
      const ids = jobs.map(({ llm }) => llm.jobId);
      const states = await flows.states(ids);
      await queue.confirm(ids.filter((_, at) => states[at] !== 'gone' && states[at] !== 'lost'));
    } catch (error) {
      log.warn({ err: error }, 'Released jobs were not handed over; they are released again');
    }
  }

  /** Never rejects: a later step names them again. A job that BullMQ gave up is ended by the workers (`given-up.ts`). */
  async function lookAt(jobIds: readonly string[]): Promise<void> {
    try {
      const states = await flows.states(jobIds);
      const idle = jobIds.filter((_, at) => states[at] !== 'queued' && states[at] !== 'failed');
      if (idle.length === 0) return;
      const { open: lost, missing } = await standingsOf(idle);
      if (lost.length > 0)
        log.warn({ jobIds: lost }, 'Open jobs were queued nowhere; they are released again');
      // A job without a record has no end that would take it out of the scheduler.
      const leave = missing.map((jobId) => ({ jobId }));
      if (lost.length + leave.length > 0) await commit.add({ lost, leave });
    } catch (error) {
      log.warn({ err: error }, 'Released jobs were not looked at; it will be tried again');
    }
  }

  function releaseNext(): void {
    commit.add({}).catch((error: unknown) => {
      log.warn({ err: error }, 'No jobs could be released; it will be tried again');
    });
  }

  const ticking = periodically({
    everyMs: EVERY_MS,
    run: () =>
      commit.add(worker ? { worker: { id: worker.id, slots: worker.slots() }, renew: worker.held() } : {}),
    onError: (error) =>
      log.warn({ err: error }, 'The scheduler could not be told of; it will be tried again'),
  });

  return {
    dispatch: async (jobs) => {
      await commit.add({ stage: jobs.map(toStaged) });
      // Those that were released by it are in BullMQ when this resolves, as far as Redis let them.
      await Promise.all(releases);
    },
    has: async (jobId) => (await queue.has(jobId)) || flows.has(jobId),
    ended: (jobId, tokens) => commit.add({ leave: [{ jobId, tokens }] }),
    slots: () => last?.slots,
    // What was staged since the last step of this process found the slot taken; the next tick sees it free.
    pump: () => {
      if (last?.staged !== 0) releaseNext();
    },
    start: ticking.start,
    close: async () => {
      await ticking.close();
      if (worker) await commit.add({ worker: { id: worker.id, slots: 0 } });
      await looking;
      await commit.idle();
      await Promise.all(releases);
      await flows.close();
    },
  };
}

function toStaged(job: DecidedJob) {
  const { jobId, user } = job.llm;
  return { jobId, user, ...job.schedule, payload: JSON.stringify(job) };
}
