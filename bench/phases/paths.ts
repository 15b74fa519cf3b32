import { setModelKnobs } from '../../test/faults/support/simulator.ts';
import { testEnv } from '../../test/harness/env.ts';
import type { BenchSystem, Measured } from '../bench-system.ts';
import { chatBody, simpleBody } from '../complex/bodies.ts';
import { openComplexGround } from '../complex/ground.ts';
import { type ComplexRequest, complexTrace, DELAYS } from '../complex/trace.ts';
import { type CallTimes, type ChatCaller, MODEL } from '../load/chat-call.ts';
import type { Errors } from '../load/protocol.ts';
import { noteError } from '../load/tally.ts';
import { median, round } from '../measure/percentiles.ts';
import { writeAssistants } from '../paths/assistants.ts';
import { clientConstructionMs, connectionSetUpMs } from '../paths/overhead.ts';
import type { BenchPlan } from '../plan.ts';

/**
 * `simple`: a plain question. `assistant`: the same with assistant selection. `complex`: the same with assistant selection, four
 * documents, a long thread and a retrieval service.
 */
export type Kind = 'simple' | 'assistant' | 'complex';

/** p50 in milliseconds, and the share that LiteLLM saves. */
export interface Less {
  legacy: number;
  litellm: number;
  saved: number;
}

export interface PathComparison {
  ttft: Less;
  total: Less;
}

export interface PathsFigures {
  byKind: Record<Kind, PathComparison>;
  /** The contributions to the difference in time to first token, p50 in milliseconds. */
  partsMs: Record<string, number>;
  errors: Errors;
}

const ROUTER_MODEL = 'router-sim';
const AUTO = 'auto';
/** The answer's text takes 0.3 s. */
const ANSWER = { ttft: DELAYS.model, tokens: 12, tps: 40 };
/** Requests of each kind that are not counted. */
const WARM_UP = 2;

const BODIES: Record<Kind, (request: ComplexRequest) => string> = {
  simple: (request) => simpleBody(request),
  assistant: (request) => simpleBody(request, AUTO),
  complex: (request) => chatBody(request, AUTO),
};
const KINDS = Object.keys(BODIES) as Kind[];

/**
 * Sends every request of one trace to both backends in turn, one at a time. The legacy backend works like systems before a migration: it
 * calls the provider directly, fetches the pieces of context in sequence, and selects the assistant with a call of a small model.
 */
export async function measurePaths(bench: BenchSystem, plan: BenchPlan): Promise<PathsFigures> {
  // The delay is not in the question, because the model that selects the assistant sees the question too.
  const trace = complexTrace(WARM_UP + plan.paths.requests, plan.seed).map((request) => ({
    ...request,
    modelMs: undefined,
  }));
  await setModelKnobs(MODEL, ANSWER);
  const ground = await openComplexGround(trace);
  await setModelKnobs(ROUTER_MODEL, { ttft: DELAYS.routing });
  const plain = { ASSISTANTS_DIR: writeAssistants(testEnv().TURNOUT_TEST_STATE) };
  const running: Measured[] = [];
  try {
    const withContext = { ...plain, ...ground.env };
    const [legacy, litellm] = await Promise.all([
      startPath(bench, 'legacy', { plain, withContext }, running),
      startPath(bench, 'litellm', { plain, withContext }, running),
    ]);
    const { times, errors } = await measureTrace(ground.caller, { legacy, litellm }, trace);
    const byKind = byKindOf(times);
    return { byKind, partsMs: await partsOf(bench, byKind), errors };
  } finally {
    await Promise.all(running.map((one) => one.stop()));
    await setModelKnobs(ROUTER_MODEL, {});
    await setModelKnobs(MODEL, {});
    await ground.close();
  }
}

type PathName = 'legacy' | 'litellm';
type Targets = Record<Kind, Measured['target']>;
type Env = Record<string, string>;

/** Starts two systems for each backend, with and without context: services with a retrieval source call it for every job. */
async function startPath(
  bench: BenchSystem,
  path: PathName,
  { plain, withContext }: Record<'plain' | 'withContext', Env>,
  running: Measured[],
): Promise<Targets> {
  const own: Env =
    path === 'legacy'
      ? { ENABLE_LITELLM: 'false', LEGACY_ROUTER_MODEL: ROUTER_MODEL }
      : { ENABLE_LITELLM: 'true' };
  const start = async (name: string, env: Env) => {
    const measured = await bench.turnout('litellm', { name: `${path}-${name}`, env: { ...env, ...own } });
    running.push(measured);
    return measured.target;
  };
  const bare = await start('plain', plain);
  return { simple: bare, assistant: bare, complex: await start('context', withContext) };
}

type TimesByKind = Record<Kind, Record<PathName, CallTimes>[]>;

async function measureTrace(
  caller: ChatCaller,
  targets: Record<PathName, Targets>,
  trace: readonly ComplexRequest[],
): Promise<{ times: TimesByKind; errors: Errors }> {
  const times: TimesByKind = { simple: [], assistant: [], complex: [] };
  const errors: Errors = {};
  for (const [at, request] of trace.entries()) {
    for (const kind of KINDS) {
      const ask = (path: PathName) =>
        caller.send(targets[path][kind], BODIES[kind](request), { stream: true });
      try {
        const pair = { legacy: await ask('legacy'), litellm: await ask('litellm') };
        if (at >= WARM_UP) times[kind].push(pair);
      } catch (error) {
        noteError(errors, error);
      }
    }
  }
  return { times, errors };
}

function byKindOf(times: TimesByKind): Record<Kind, PathComparison> {
  const lessOf = (kind: Kind, of: keyof CallTimes): Less => {
    const p50 = (path: PathName) => round(median(times[kind].map((pair) => pair[path][of])));
    const [legacy, litellm] = [p50('legacy'), p50('litellm')];
    return { legacy, litellm, saved: Math.round((1 - litellm / legacy) * 100) / 100 };
  };
  const entries = KINDS.map((kind) => [kind, { ttft: lessOf(kind, 'ttft'), total: lessOf(kind, 'total') }]);
  return Object.fromEntries(entries) as Record<Kind, PathComparison>;
}

/**
 * The first five are differences of the measured times. The last three are the cost per request of a system that reuses neither
 * connections nor clients; both backends here reuse them.
 */
async function partsOf(
  { simulatorUrl }: BenchSystem,
  { simple, assistant, complex }: Record<Kind, PathComparison>,
): Promise<Record<string, number>> {
  const between = (more: PathComparison, less: PathComparison, path: PathName) =>
    round(more.ttft[path] - less.ttft[path]);
  return {
    'LiteLLM in between (simple: LiteLLM less legacy)': round(simple.ttft.litellm - simple.ttft.legacy),
    'assistant chosen by a call (legacy)': between(assistant, simple, 'legacy'),
    'assistant chosen by words (LiteLLM)': between(assistant, simple, 'litellm'),
    'context one after another (legacy)': between(complex, assistant, 'legacy'),
    'context at once (LiteLLM)': between(complex, assistant, 'litellm'),
    'a connection for each call, TCP on loopback': round(await connectionSetUpMs(`${simulatorUrl}/livez`)),
    'a client for each call, OpenAI': round(clientConstructionMs('openai')),
    'a client for each call, Azure': round(clientConstructionMs('azure')),
  };
}
