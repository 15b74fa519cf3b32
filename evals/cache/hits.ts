import { setTimeout as delay } from 'node:timers/promises';
import { createChatCaller, MODEL } from '../../bench/load/chat-call.ts';
import { type Target } from '../../bench/load/protocol.ts';
import { type Percentiles, percentilesOf } from '../../bench/measure/percentiles.ts';
import { type CACHE_PLAN } from './plan.ts';

export interface HitFigures {
  /** Milliseconds to the first token through the whole system: the first time (`misses`), and each later time (`hits`). */
  misses: Percentiles;
  hits: Percentiles;
  /** The p50 of misses divided by the p50 of hits. */
  faster: number;
  /** Answers that Turnout counted as served from the cache, and the expected number. */
  served: { counted: number; of: number };
}

/** Long enough for an answer to be stored in the cache after its end. */
const KEPT_AFTER_MS = 100;
const COUNTED_WITHIN_MS = 10_000;

/** One user asks every question once, then all of them again. `served`: Turnout's current count of answers from the cache. */
export async function measureHits(
  target: Target,
  plan: (typeof CACHE_PLAN)['hits'],
  served: () => Promise<number>,
): Promise<HitFigures> {
  const user = { ...target, apiKeys: target.apiKeys.slice(0, 1) };
  const caller = createChatCaller();
  const ask = async (question: number) =>
    (await caller.send(user, bodyOf(question, plan.ttft), { stream: true })).ttft;
  const misses: number[] = [];
  const hits: number[] = [];
  for (let question = 0; question < plan.questions; question++) misses.push(await ask(question));
  await delay(KEPT_AFTER_MS);
  const before = await served();
  for (let round = 0; round < plan.rounds; round++)
    for (let question = 0; question < plan.questions; question++) hits.push(await ask(question));
  caller.close();
  const [first, again] = [percentilesOf(misses), percentilesOf(hits)];
  const counted = await atLeast(hits.length, async () => (await served()) - before);
  return {
    misses: first,
    hits: again,
    faster: Math.round((first.p50 / again.p50) * 10) / 10,
    served: { counted, of: hits.length },
  };
}

/** Waits until the count reaches `expected`, but not longer than `COUNTED_WITHIN_MS`. Returns the count. */
async function atLeast(expected: number, read: () => Promise<number>): Promise<number> {
  const deadline = performance.now() + COUNTED_WITHIN_MS;
  for (;;) {
    const count = await read();
    if (count >= expected || performance.now() > deadline) return count;
    await delay(100);
  }
}

function bodyOf(question: number, ttft: number): string {
  const content = `Which signal guards siding ${question}? [[sim: tokens=50; ttft=${ttft}; tps=200]]`;
  return JSON.stringify({ model: MODEL, stream: true, messages: [{ role: 'user', content }] });
}
