import { z } from 'zod';
import { type JobEvent } from '../contracts/job-event.ts';
import { type Outcome } from '../contracts/outcome.ts';
import { type Path } from '../contracts/decision.ts';
import { type JobKeys } from '../redis/keys.ts';
import { type Redis } from '../redis/connect.ts';
import { defineScript } from '../redis/script.ts';

/**
 * One job's record and log in the job Redis. Every change is one Lua script (`scripts/`), whose invariants stand there.
 *
 *   admitting -> refused | queued -> running -> completed | failed | cancelled
 *
 * The ingress admits (and refuses when Kafka did not acknowledge), the router routes, an attempt begins and appends under
 * its fence, and whoever is first finishes.
 */
export const jobState = z.enum(['admitting', 'refused', 'queued', 'running', 'completed', 'failed', 'cancelled']);
export type JobState = z.infer<typeof jobState>;

/** An attempt's right to append: a counter and a random nonce, since a counter alone can come again after a lost tail. */
export interface Fence {
  readonly counter: number;
  readonly nonce: string;
}

export type Admission =
  | { kind: 'new' }
  | { kind: 'exists'; state: JobState; owner: string; bodyHash: string; lastSequence: number };

export type Begun =
  | { kind: 'begun'; fence: Fence; lastSequence: number; createdAt: number }
  | { kind: 'over'; state: JobState | 'missing' };

export type Appended =
  | { kind: 'appended'; lastSequence: number }
  /** The log ends before what the holder believes to be there. */
  | { kind: 'behind'; lastSequence: number }
  | { kind: 'fenced' }
  | { kind: 'over'; state: JobState | 'missing' };

export type Finished = { kind: 'finished'; outboxRow: string; lastSequence: number } | Exclude<Appended, { kind: 'appended' }>;

export interface JobView {
  state: JobState;
  owner: string;
  lastSequence: number;
  deadlineAt: number;
  entries: StoredEvent[];
}

/** An event as JSON text, with its sequence. */
export interface StoredEvent {
  sequence: number;
  json: string;
}

/** Who ends a job: the holder of its fence, or one who holds none (a canceller, a sweep, the router). */
export type Finisher = { fence: Fence; expected: number } | 'unfenced';

export interface JobLog {
  admit(job: { jobId: string; owner: string; bodyHash: string; deadlineAt: number; reader: string }): Promise<Admission>;
  /** The state that holds after the settlement, or `missing`. */
  refuse(jobId: string): Promise<JobState | 'missing'>;
  /** `routed` for the first delivery, `again` for a later one of an open job, else the state that it ended in. */
  route(jobId: string, events: readonly JobEvent[]): Promise<'routed' | 'again' | 'missing' | JobState>;
  begin(jobId: string, nonce: string, path: Path): Promise<Begun>;
  append(jobId: string, fence: Fence, expected: number, events: readonly JobEvent[]): Promise<Appended>;
  finish(jobId: string, finisher: Finisher, events: readonly JobEvent[], outcome: Outcome): Promise<Finished>;
  read(jobId: string, after: number, reader?: string): Promise<JobView | undefined>;
}

export interface JobLogOptions {
  redis: Redis;
  keys: JobKeys;
  /** Milliseconds that an ended job's record and log are kept. */
  retentionMs: number;
}

/** An open record lives well past any deadline, so that nothing expires while somebody may still end it. */
const OPEN_LIFETIME_MS = 8 * 86_400_000;

const stateOrMissing = z.union([jobState, z.literal('').transform(() => 'missing' as const)]);
const admitReply = z.union([
  z.tuple([z.literal('new')]),
  z.tuple([z.literal('exists'), jobState, z.string(), z.string(), z.int()]),
]);
const routeReply = z.union([z.enum(['routed', 'again']), stateOrMissing]);
const beginReply = z.union([z.tuple([z.literal('begun'), z.int(), z.int(), z.int()]), z.tuple([stateOrMissing])]);
const refusals = z.union([
  z.tuple([z.literal('behind'), z.int()]),
  z.tuple([z.literal('fenced')]),
  z.tuple([stateOrMissing]),
]);
const appendReply = z.union([z.tuple([z.literal('appended'), z.int()]), refusals]);
const finishReply = z.union([z.tuple([z.literal('finished'), z.string(), z.int()]), refusals]);
const entry = z.tuple([z.string(), z.tuple([z.literal('e'), z.string()])]);
const readReply = z.tuple([z.union([jobState, z.literal('')]), z.string(), z.int(), z.int(), z.array(entry)]);

const script = (name: string) => new URL(`scripts/${name}.lua`, import.meta.url);
const PRELUDE = [script('prelude')];

export function createJobLog({ redis, keys, retentionMs }: JobLogOptions): JobLog {
  const admit = defineScript(redis, script('admit'));
  const refuse = defineScript(redis, script('refuse'));
  const route = defineScript(redis, script('route'), PRELUDE);
  const begin = defineScript(redis, script('begin'), PRELUDE);
  const append = defineScript(redis, script('append'), PRELUDE);
  const finish = defineScript(redis, script('finish'), PRELUDE);
  const read = defineScript(redis, script('read'), PRELUDE);
  const log = (jobId: string) => [keys.record(jobId), keys.log(jobId)];

  return {
    async admit({ jobId, owner, bodyHash, deadlineAt, reader }) {
      const args = [jobId, owner, bodyHash, deadlineAt, Date.now(), reader, OPEN_LIFETIME_MS];
      const reply = admitReply.parse(await admit([keys.record(jobId), keys.open(jobId)], args));
      if (reply[0] === 'new') return { kind: 'new' };
      return { kind: 'exists', state: reply[1], owner: reply[2], bodyHash: reply[3], lastSequence: reply[4] };
    },

    async refuse(jobId) {
      return stateOrMissing.parse(await refuse([keys.record(jobId), keys.open(jobId)], [jobId, retentionMs]));
    },

    async route(jobId, events) {
      return routeReply.parse(await route(log(jobId), [jobId, OPEN_LIFETIME_MS, ...toJson(events)]));
    },

    async begin(jobId, nonce, path) {
      const reply = beginReply.parse(await begin(log(jobId), [jobId, nonce, Date.now(), path]));
      if (reply[0] !== 'begun') return { kind: 'over', state: reply[0] };
      return { kind: 'begun', fence: { counter: reply[1], nonce }, lastSequence: reply[2], createdAt: reply[3] };
    },

    async append(jobId, fence, expected, events) {
      const args = [jobId, fence.counter, fence.nonce, expected, ...toJson(events)];
      const reply = appendReply.parse(await append(log(jobId), args));
      return reply[0] === 'appended' ? { kind: 'appended', lastSequence: reply[1] } : refusal(reply);
    },

    async finish(jobId, finisher, events, outcome) {
      const { fence, expected } = finisher === 'unfenced' ? { fence: undefined, expected: 0 } : finisher;
      const holder = [fence?.counter ?? '', fence?.nonce ?? '', expected];
      const args = [jobId, ...holder, outcome.status, JSON.stringify(outcome), retentionMs, ...toJson(events)];
      const reply = finishReply.parse(await finish([...log(jobId), keys.open(jobId), keys.outbox(jobId)], args));
      if (reply[0] === 'finished') return { kind: 'finished', outboxRow: reply[1], lastSequence: reply[2] };
      return refusal(reply);
    },

    async read(jobId, after, reader = '') {
      const [state, owner, lastSequence, deadlineAt, entries] = readReply.parse(await read(log(jobId), [after, reader]));
      if (state === '') return undefined;
      return { state, owner, lastSequence, deadlineAt, entries: entries.map(toStored) };
    },
  };
}

function toJson(events: readonly JobEvent[]): string[] {
  return events.map((event) => JSON.stringify(event));
}

function toStored([id, [, json]]: z.infer<typeof entry>): StoredEvent {
  return { sequence: Number.parseInt(id, 10), json };
}

function refusal(reply: z.infer<typeof refusals>): Exclude<Appended, { kind: 'appended' }> {
  if (reply[0] === 'behind') return { kind: 'behind', lastSequence: reply[1] };
  if (reply[0] === 'fenced') return { kind: 'fenced' };
  return { kind: 'over', state: reply[0] };
}
