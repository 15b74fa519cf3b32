import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import { z } from 'zod';
import { type Cache } from '../../shared/content/cache/cache.ts';
import { jsonCodec } from '../../shared/content/cache/codec.ts';
import { fingerprintOf } from '../../shared/content/cache/fingerprint.ts';
import { type CacheKey } from '../../shared/contracts/cache-kinds.ts';
import { type TracedRequest } from './traces.ts';

/** Of the operations after warm-up. */
export interface Replayed {
  requests: number;
  operations: number;
  /** Operations that the same user had before, however long ago. */
  repeated: number;
  hits: number;
  /** Share of all operations that a cache of each user's own, with no limits, could have had; and of those that this one had. */
  reachable: number;
  hitRate: number;
  /** Share of all operations that users could have had of each other, which they must not. */
  reachableByOthers: number;
  /** Seconds that the replay was behind its time at most. */
  lateS: number;
  /** What was read and was not what that user had kept for that. */
  wrong: number;
}

interface ReplayOptions {
  cache: Cache;
  /** Trace time passes so many times faster. */
  speed: number;
  /** The share of the trace's time whose operations are not counted. */
  warmUp: number;
  /** Operations at a time. */
  concurrency: number;
}

/** A request looks for its answer, and for what belongs to each of its blocks. */
type Operation = CacheKey & { kind: 'answer' | 'rag'; user: string };

const text = jsonCodec(z.string());
const WORDS = Array.from({ length: 2_000 }, (_, at) => ((at * 2_654_435_761) % 2 ** 32).toString(36));
const BLOCK_WORDS = 300;

/** Replays a trace on a cache, in its own order and pace. */
export async function replayTrace(
  trace: readonly TracedRequest[],
  { cache, speed, warmUp, concurrency }: ReplayOptions,
): Promise<Replayed> {
  const known = new Set<string>();
  const knownToAny = new Set<string>();
  const counts = { requests: 0, operations: 0, repeated: 0, byOthers: 0, hits: 0, wrong: 0 };
  const from = (trace.at(-1)?.at ?? 0) * warmUp;
  const startedAt = performance.now();
  const inFlight = pLimit(concurrency);
  let late = 0;

  async function take({ at, user, blocks }: TracedRequest): Promise<void> {
    const keys = operationsOf(user, blocks);
    const told = keys.map((key) => {
      const repeated = isKnown(known, `${key.user}/${key.kind}/${key.fingerprint}`);
      return { repeated, byAnyone: isKnown(knownToAny, `${key.kind}/${key.fingerprint}`) };
    });
    const { signal } = new AbortController();
    const hits = await Promise.all(keys.map((key) => inFlight(() => perform(key, signal))));
    if (at < from) return;
    counts.requests += 1;
    counts.operations += keys.length;
    counts.repeated += told.filter(({ repeated }) => repeated).length;
    counts.byOthers += told.filter(({ repeated, byAnyone }) => byAnyone && !repeated).length;
    counts.hits += hits.filter((hit) => hit).length;
  }

  async function perform(key: Operation, signal: AbortSignal): Promise<boolean> {
    const right = valueOf(key);
    let computed = false;
    const compute = () => {
      computed = true;
      return Promise.resolve(right);
    };
    if ((await cache.getOrCompute(key, text, { compute, signal })) !== right) counts.wrong += 1;
    return !computed;
  }

  const all: Promise<void>[] = [];
  for (const request of trace) {
    const due = startedAt + request.at / speed;
    if (due > performance.now()) await delay(due - performance.now());
    while (inFlight.pendingCount > 0) await delay(1);
    late = Math.max(late, performance.now() - due);
    all.push(take(request));
  }
  await Promise.all(all);

  const { operations, repeated, hits } = counts;
  return {
    requests: counts.requests,
    operations,
    repeated,
    hits,
    wrong: counts.wrong,
    reachable: repeated / operations,
    hitRate: hits / repeated,
    reachableByOthers: counts.byOthers / operations,
    lateS: Math.round(late / 100) / 10,
  };
}

function operationsOf(user: number, blocks: readonly number[]): Operation[] {
  const whose = `user-${user}@example.com`;
  const rag = blocks.map((block) => ({
    kind: 'rag' as const,
    user: whose,
    fingerprint: fingerprintOf({ block }),
  }));
  return [...rag, { kind: 'answer', user: whose, fingerprint: fingerprintOf({ blocks }) }];
}

/** Passages of 2 KiB, which nobody else has. */
function valueOf({ user, fingerprint }: Operation): string {
  let state = Number.parseInt(fingerprint.slice(0, 8), 16) ^ user.length;
  const words = Array.from({ length: BLOCK_WORDS }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return WORDS[state % WORDS.length];
  });
  return `${user} ${words.join(' ')}`;
}

/** Whether it was there; from now on it is. */
function isKnown(names: Set<string>, name: string): boolean {
  const found = names.has(name);
  names.add(name);
  return found;
}
