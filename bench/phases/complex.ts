import type { BenchSystem, Measured } from '../bench-system.ts';
import { chatBody, embeddingBody, promptBody } from '../complex/bodies.ts';
import { BUDGETS, type ComplexGround, EMBEDDING_MODEL, openComplexGround } from '../complex/ground.ts';
import { type ComplexRequest, complexTrace } from '../complex/trace.ts';
import type { Errors } from '../load/protocol.ts';
import { noteError } from '../load/tally.ts';
import { median, round } from '../measure/percentiles.ts';
import type { BenchPlan } from '../plan.ts';

/** Milliseconds. */
export interface ComplexTimes {
  /** Time to first token if the pieces of context are fetched in sequence. */
  sequential: number;
  /** Time to first token if they are fetched in parallel. */
  parallel: number;
  /** The lower limit of both: the slowest source, then the model, both called without Turnout. */
  limit: number;
}

export interface ComplexFigures {
  /** One entry for each request of the trace, in order. */
  times: ComplexTimes[];
  p50: ComplexTimes;
  errors: Errors;
}

/** Requests at the start of the trace that are not counted. */
const WARM_UP = 4;

/** Sends every request of one trace, one at a time, to both systems in turn, and calls its sources and its model directly. */
export async function measureComplex(bench: BenchSystem, plan: BenchPlan): Promise<ComplexFigures> {
  const trace = complexTrace(WARM_UP + plan.complex.requests, plan.seed);
  const ground = await openComplexGround(trace);
  const measured: Measured[] = [];
  try {
    measured.push(...(await startBoth(bench, ground.env)));
    return await measureTrace({ bench, ...ground }, measured, trace);
  } finally {
    await Promise.all(measured.map((one) => one.stop()));
    await ground.close();
  }
}

function startBoth(bench: BenchSystem, env: Record<string, string>): Promise<Measured[]> {
  return Promise.all(
    [false, true].map((parallel) =>
      bench.turnout('litellm', {
        name: parallel ? 'parallel' : 'sequential',
        env: { ...env, ENABLE_PARALLEL: String(parallel) },
      }),
    ),
  );
}

interface Ground extends Pick<ComplexGround, 'caller' | 'remoteUrl'> {
  bench: BenchSystem;
}

async function measureTrace(
  ground: Ground,
  [sequential, parallel]: readonly Measured[],
  trace: readonly ComplexRequest[],
): Promise<ComplexFigures> {
  if (!sequential || !parallel) throw new Error('Both systems must run');
  const times: ComplexTimes[] = [];
  const errors: Errors = {};
  for (const request of trace) {
    try {
      times.push({
        sequential: (await ground.caller.send(sequential.target, chatBody(request), STREAM)).ttft,
        parallel: (await ground.caller.send(parallel.target, chatBody(request), STREAM)).ttft,
        limit: await limitOf(ground, request),
      });
    } catch (error) {
      noteError(errors, error);
    }
  }
  const counted = times.slice(WARM_UP).map(rounded);
  return { times: counted, p50: p50Of(counted), errors };
}

const STREAM = { stream: true } as const;

/** Calls all sources in parallel, and the model after the slowest source. */
async function limitOf({ bench, caller, remoteUrl }: Ground, request: ComplexRequest): Promise<number> {
  const { litellm } = bench;
  const authorization = `Bearer ${litellm.apiKeys[0] ?? ''}`;
  const headers = { 'content-type': 'application/json', authorization };
  const embedding = { headers, body: embeddingBody(request, EMBEDDING_MODEL) };
  const slowest = await timeOf(() =>
    Promise.all([
      post(`${litellm.baseUrl}/embeddings`, embedding),
      post(remoteUrl, { headers, body: JSON.stringify({ query: request.question, max_num_results: 10 }) }),
    ]),
  );
  return slowest + (await caller.send(litellm, promptBody(request, BUDGETS), STREAM)).ttft;
}

async function post(url: string, init: { headers: Record<string, string>; body: string }): Promise<void> {
  const response = await fetch(url, { method: 'POST', ...init });
  const body = await response.text();
  if (!response.ok)
    throw new Error(`a source responded with status ${response.status}: ${body.slice(0, 200)}`);
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function rounded({ sequential, parallel, limit }: ComplexTimes): ComplexTimes {
  return { sequential: round(sequential), parallel: round(parallel), limit: round(limit) };
}

function p50Of(times: readonly ComplexTimes[]): ComplexTimes {
  const of = (name: keyof ComplexTimes) => median(times.map((one) => one[name]));
  return rounded({ sequential: of('sequential'), parallel: of('parallel'), limit: of('limit') });
}
