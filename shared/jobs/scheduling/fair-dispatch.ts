import { type Logger } from '../../platform/log/logger.ts';
import { type DecidedJob, type Dispatch, type FlowDispatch } from '../queues/dispatch.ts';
import { groupCommit } from '../../platform/util/group-commit.ts';
import { periodically } from '../../platform/util/periodically.ts';
import { type FairQueue, MOST_AT_ONCE, type Released, type SchedulerStep } from './fair-queue.ts';

/**
 * Hands decided jobs over in fair order: staged -> released into BullMQ when slots are free there.
 *
 * New jobs, ended jobs and the process's own slots go into the next step of the scheduler. While a step is running, they are collected for
 * the one after it. If a process dies after a release and before its BullMQ node exists, a step of any process releases the job again some
 * seconds later.
 *
 * A job counts as handed over when BullMQ reports that it has it. From then on, each step names some jobs to check: a job that is open in
 * the job log and that BullMQ will not run is released again. So a lost node does not leave a job waiting until its deadline.
 */
export interface FairDispatch extends Dispatch {
  /**
   * A job has ended. `tokens`: its actual tokens; if they are unknown, its estimate stays. Idempotent by job.
   */
  ended(jobId: string, tokens?: number): Promise<void>;
  /** The slots of all workers, as of the last step; undefined before the first step. */
  slots(): number | undefined;
  /** Call it when a slot is free: releases jobs, unless no job was staged at the last step. Never rejects. */
  pump(): void;
  start(): void;
}

interface FairDispatchOptions {
  queue: FairQueue;
  /** Receives released jobs. */
  flows: FlowDispatch;
  /** Which of these jobs are open, and which have no record. Ended jobs are in neither list. */
  standingsOf: (jobIds: readonly string[]) => Promise<{ open: string[]; missing: string[] }>;
  /** Only in a process that runs jobs. */
  worker?: WorkerSlots | undefined;
  log: Logger;
}

export interface WorkerSlots {
  id: string;
  /** How many jobs it runs at a time; 0 when it accepts no more. */
  slots: () => number;
  /** The jobs that it is running. */
  held: () => readonly string[];
}

/** How often a process makes a step without new work: to renew its slots and its jobs, and to release jobs for slots that others freed. */
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

  /** Never rejects: jobs that were not handed over are released again. */
  async function handOver(payloads: readonly string[]): Promise<void> {
    try {
      const jobs = payloads.map((payload) => JSON.parse(payload) as DecidedJob);
      await flows.dispatch(jobs).catch((error: unknown) => {
        log.warn(
          { err: error },
          'Cannot queue all released jobs in BullMQ; releasing the missing ones again',
        );
      });
      const ids = jobs.map(({ llm }) => llm.jobId);
      const states = await flows.states(ids);
      await queue.confirm(ids.filter((_, at) => states[at] !== 'gone' && states[at] !== 'lost'));
    } catch (error) {
      log.warn({ err: error }, 'Cannot confirm released jobs; releasing them again');
    }
  }

  /** Never rejects: a later step names the jobs again. Workers end a job that BullMQ gave up (`given-up.ts`). */
  async function lookAt(jobIds: readonly string[]): Promise<void> {
    try {
      const states = await flows.states(jobIds);
      const idle = jobIds.filter((_, at) => states[at] !== 'queued' && states[at] !== 'failed');
      if (idle.length === 0) return;
      const { open: lost, missing } = await standingsOf(idle);
      if (lost.length > 0)
        log.warn({ jobIds: lost }, 'Open jobs were missing in BullMQ; releasing them again');
      // A job without a record never ends, so nothing else removes it from the scheduler.
      const leave = missing.map((jobId) => ({ jobId }));
      if (lost.length + leave.length > 0) await commit.add({ lost, leave });
    } catch (error) {
      log.warn({ err: error }, 'Cannot check released jobs; a later step will retry');
    }
  }

  function releaseNext(): void {
    commit.add({}).catch((error: unknown) => {
      log.warn({ err: error }, 'Cannot release jobs; retrying in 1 s');
    });
  }

  const ticking = periodically({
    everyMs: EVERY_MS,
    run: () =>
      commit.add(worker ? { worker: { id: worker.id, slots: worker.slots() }, renew: worker.held() } : {}),
    onError: (error) => log.warn({ err: error }, 'Scheduler step failed; retrying in 1 s'),
  });

  return {
    dispatch: async (jobs) => {
      await commit.add({ stage: jobs.map(toStaged) });
      // When this resolves, the jobs that the step released are in BullMQ, except those that Redis refused.
      await Promise.all(releases);
    },
    has: async (jobId) => (await queue.has(jobId)) || flows.has(jobId),
    ended: (jobId, tokens) => commit.add({ leave: [{ jobId, tokens }] }),
    slots: () => last?.slots,
    // A job that another process staged since this process's last step is released by the next tick.
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
