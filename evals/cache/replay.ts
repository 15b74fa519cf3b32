import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import { z } from 'zod';
import { type Cache } from '../../shared/content/cache/cache.ts';
import { jsonCodec } from '../../shared/content/cache/codec.ts';
import { fingerprintOf } from '../../shared/content/cache/fingerprint.ts';
import { type CacheKey } from '../../shared/contracts/cache-kinds.ts';
import { type TracedRequest } from './traces.ts';

/** The figures of the operations after the warm-up. */
export interface Replayed {
  requests: number;
  operations: number;
  /** Operations that the same user had before, at any time. */
  repeated: number;
  hits: number;
  /** `reachable`: the share of all operations that a per-user cache without limits would hit. `hitRate`: the share of those that were hits. */
  reachable: number;
  hitRate: number;
  /** The share of all operations that only a cache shared between users could hit, which Turnout forbids. */
  reachableByOthers: number;
  /** The largest delay of the replay behind its schedule, in seconds. */
  lateS: number;
  /** Values that differ from the value that the same user stored under the same key. */
  wrong: number;
}

interface ReplayOptions {
  cache: Cache;
  /** How many times faster the trace is replayed. */
  speed: number;
  /** The share of the trace's duration whose operations are not counted. */
  warmUp: number;
  /** Concurrent operations. */
  concurrency: number;
}

/** A request looks up its answer, and a retrieval result for each of its blocks. */
type Operation = CacheKey & { kind: 'answer' | 'rag'; user: string };

const text = jsonCodec(z.string());
const WORDS = Array.from({ length: 2_000 }, (_, at) => ((at * 2_654_435_761) % 2 ** 32).toString(36));
const BLOCK_WORDS = 300;

/** Replays a trace on a cache, in the order and at the pace of the trace. */
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

/** A text of about 2 KiB that is unique to the user and the fingerprint. */
function valueOf({ user, fingerprint }: Operation): string {
  let state = Number.parseInt(fingerprint.slice(0, 8), 16) ^ user.length;
  const words = Array.from({ length: BLOCK_WORDS }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return WORDS[state % WORDS.length];
  });
  return `${user} ${words.join(' ')}`;
}

/** Whether the set contains the name. Adds it. */
function isKnown(names: Set<string>, name: string): boolean {
  const found = names.has(name);
  names.add(name);
  return found;
}
