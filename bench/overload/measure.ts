import { setTimeout as delay } from 'node:timers/promises';
import type { Target } from '../load/protocol.ts';
import { type Answer, callOnce } from './call.ts';
import { OVERLOAD_PLAN } from './plan.ts';

export interface Peak {
  /** Answers per second. */
  goodput: number;
  /** The median duration in milliseconds. */
  p50: number;
}

/** Measures with enough clients to keep every slot busy, each with one request at a time. */
export async function measurePeak(target: Target): Promise<Peak> {
  const until = performance.now() + OVERLOAD_PLAN.peak * 1_000;
  const times: number[] = [];
  const client = async (number: number) => {
    while (performance.now() < until) {
      const { kind, ms, why } = await callOnce(target, number);
      if (kind !== 'answered') throw new Error(`a request in the peak phase was not answered: ${why}`);
      times.push(ms);
    }
  };
  await Promise.all(
    Array.from({ length: Math.ceil(OVERLOAD_PLAN.slots * 1.5) }, (_, number) => client(number)),
  );
  times.sort((a, b) => a - b);
  return {
    goodput: times.length / OVERLOAD_PLAN.peak,
    p50: times[Math.floor(times.length / 2)] ?? Number.NaN,
  };
}

export interface Overload {
  offered: number;
  answered: number;
  /** Answers per second during the overload. */
  goodput: number;
  /** First attempts that were refused, and the median time until their refusal, in milliseconds. */
  refused: number;
  refusedMs: number;
  /** Retries at the time that Retry-After announced, and how many of them were answered. */
  cameBack: number;
  letIn: number;
  /** Counts by error. */
  failures: Record<string, number>;
}

/** Sends requests at a fixed rate, independent of the results of earlier requests. */
export async function measureOverload(target: Target, perSecond: number): Promise<Overload> {
  const counts = { offered: 0, answered: 0, inTime: 0, refused: 0, cameBack: 0, letIn: 0 };
  const failures: Record<string, number> = {};
  const refusedMs: number[] = [];
  const began = performance.now();
  const end = began + OVERLOAD_PLAN.overload * 1_000;

  function note({ kind, ms, why }: Answer, retry: number): void {
    if (retry > 0) counts.cameBack += 1;
    if (retry > 0 && kind === 'answered') counts.letIn += 1;
    if (kind === 'answered') counts.answered += 1;
    if (kind === 'answered' && performance.now() <= end) counts.inTime += 1;
    if (kind === 'failed') failures[why] = (failures[why] ?? 0) + 1;
    if (kind !== 'refused' || retry > 0) return;
    counts.refused += 1;
    refusedMs.push(ms);
  }

  async function send(number: number): Promise<void> {
    for (let retry = 0; retry <= OVERLOAD_PLAN.retries; retry += 1) {
      const answer = await callOnce(target, number, retry);
      note(answer, retry);
      if (answer.kind !== 'refused') return;
      const backAt = performance.now() + (answer.retryAfterS ?? 0) * 1_000;
      if (backAt > end) return; // the overload will be over by then, so the retry would not count
      await delay(backAt - performance.now());
    }
  }

  const sent: Promise<void>[] = [];
  while (performance.now() < end) {
    const due = Math.floor(((performance.now() - began) / 1_000) * perSecond);
    for (; counts.offered < due; counts.offered += 1) sent.push(send(counts.offered));
    await delay(5);
  }
  await Promise.all(sent);
  refusedMs.sort((a, b) => a - b);
  const { offered, answered, inTime, refused, cameBack, letIn } = counts;
  return {
    offered,
    answered,
    goodput: inTime / OVERLOAD_PLAN.overload,
    refused,
    cameBack,
    letIn,
    failures,
    refusedMs: refusedMs[Math.floor(refusedMs.length / 2)] ?? Number.NaN,
  };
}

/** Seconds until ten concurrent requests are all answered in less than 1.5 times the median of the peak phase. */
export async function measureRecovery(target: Target, { p50 }: Peak): Promise<number> {
  const began = performance.now();
  for (let number = 0; performance.now() - began < OVERLOAD_PLAN.recovery * 1_000; number += 1) {
    const startedAt = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, at) => callOnce(target, number * 10 + at)),
    );
    if (answers.every(({ kind, ms }) => kind === 'answered' && ms < p50 * 1.5))
      return (startedAt - began) / 1_000;
  }
  return Infinity;
}
