import { z } from 'zod';
import { type CancelledBy, cancelledBy, type JobEvent, readEvent } from '../../contracts/job-event.ts';
import { type Outcome } from '../../contracts/outcome.ts';
import { type Backend } from '../../contracts/decision.ts';
import { type JobKeys } from '../../platform/redis/keys.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { defineScript } from '../../platform/redis/script.ts';
import { hookNames, type HookName } from '../../contracts/hook-names.ts';

/**
 * One job's record and log in the job Redis. Every change is one Lua script in `scripts/`, which states its invariants.
 *
 *   admitting -> refused | completed | queued -> running -> completed | failed | cancelled
 *
 * - The ingress admits a job, and refuses it when Kafka did not acknowledge its message.
 * - The router routes it, or completes it with a cached answer.
 * - An attempt begins and appends events under its fence. The first process that finishes the job sets its final state.
 * - A cancellation request is a flag, separate from the state. The holder of the fence sees it and ends the job; if it does not, the process
 *   that requested the cancellation does.
 */
export const jobState = z.enum([
  'admitting',
  'refused',
  'queued',
  'running',
  'completed',
  'failed',
  'cancelled',
]);
export type JobState = z.infer<typeof jobState>;

const OPEN: ReadonlySet<string> = new Set<JobState>(['admitting', 'queued', 'running']);

/** The job exists and has not ended. */
export function isOpen(state: JobState | 'missing'): boolean {
  return OPEN.has(state);
}

/** An attempt's right to append. The random nonce tells apart fences whose counter repeats after Redis lost its last writes. */
export interface Fence {
  readonly counter: number;
  readonly nonce: string;
}

export type Admission =
  | { kind: 'new' }
  | {
      kind: 'exists';
      state: JobState;
      owner: string;
      bodyHash: string;
      lastSequence: number;
      /** When the job was first requested; milliseconds since the epoch. */
      createdAt: number;
    };

export interface NewJob {
  jobId: string;
  owner: string;
  userHash: string;
  model: string;
  bodyHash: string;
  /** Milliseconds since the epoch. */
  acceptedAt: number;
  deadlineAt: number;
  /** The channel of the process that will follow the log. */
  reader: string;
  /** Grace period of a foreground job after its last reader left, in milliseconds; undefined for a background job, which needs no reader. */
  graceMs: number | undefined;
  /** Completion hooks to run when it has ended. */
  hookNames?: readonly HookName[];
  /** The client's request in JSON, for later reads of the response (`originals.ts`). */
  original?: string;
  /** Identifies the request that publishes the job, where several may publish it; without spaces. */
  publisher?: string;
}

export interface NewAttempt {
  nonce: string;
  path: Backend;
  /** The channel on which the process that begins the attempt receives cancellations. */
  holder: string;
  /** The deadline in the job data that the process received; milliseconds since the epoch. */
  deadlineAt: number;
}

export type Begun =
  | { kind: 'begun'; fence: Fence; lastSequence: number; cancel: CancelledBy | undefined }
  | { kind: 'over'; state: JobState | 'missing' }
  /** The attempt belongs to an earlier job with the same id. */
  | { kind: 'earlier' };

export type Appended =
  | { kind: 'appended'; lastSequence: number; cancel: CancelledBy | undefined }
  /** The log has fewer events than the holder expects. */
  | { kind: 'behind'; lastSequence: number }
  | { kind: 'fenced' }
  | { kind: 'over'; state: JobState | 'missing' };

export interface Ended {
  kind: 'finished';
  outboxRow: string;
  lastSequence: number;
  hookNames: HookName[];
}

export type Finished =
  | Ended
  /** The log has grown since a caller without the fence read it. */
  | { kind: 'moved' }
  | Exclude<Appended, { kind: 'appended' }>;

export interface JobView {
  state: JobState;
  owner: string;
  lastSequence: number;
  /** Milliseconds since the epoch. */
  deadlineAt: number;
  createdAt: number;
  userHash: string;
  model: string;
  /** The event with which the last attempt began; undefined without an attempt, or when an earlier release began it. */
  lastAttempt?: AttemptMark | undefined;
  entries: SequencedEvent[];
}

export interface AttemptMark {
  sequence: number;
  /** Milliseconds since the epoch. */
  at: number;
}

export interface Standing {
  jobId: string;
  state: JobState | 'missing';
  /** Who requested its cancellation. */
  cancel: CancelledBy | undefined;
}

export interface SequencedEvent {
  sequence: number;
  event: JobEvent;
}

/**
 * The process that ends a job: the holder of its fence, or one without it (a canceller, the sweep, the router). `expected` is the
 * sequence of the last event that this process knows.
 */
export interface Finisher {
  fence: Fence | undefined;
  expected: number;
}

export interface JobLog {
  /**
   * The clock for events, deadlines and leases, in milliseconds since the epoch. It follows the clock of the job Redis, so processes
   * whose own clocks differ agree.
   */
  now(): number;
  admit(job: NewJob): Promise<Admission>;
  /**
   * Refuses a job that is still `admitting`. Returns the state afterwards, or `missing`; `admitting` while another publisher of the job is
   * listed. `publisher`: as at its admission; omit it when there is only one.
   */
  refuse(jobId: string, publisher?: string): Promise<JobState | 'missing'>;
  /**
   * `routed` for the first delivery, `again` for a later delivery of an open job, otherwise the job's final state. `earlier`: according to
   * `deadlineAt`, the message belongs to an earlier job with the same id.
   */
  route(
    jobId: string,
    events: readonly JobEvent[],
    deadlineAt?: number,
  ): Promise<'routed' | 'again' | 'earlier' | 'missing' | JobState>;
  /**
   * Completes the job in one step with all of its events. Undefined, without any change, when the job was routed, has ended, or was asked
   * to cancel.
   */
  serve(jobId: string, events: readonly JobEvent[], outcome: Outcome): Promise<Ended | undefined>;
  begin(jobId: string, attempt: NewAttempt): Promise<Begun>;
  append(jobId: string, fence: Fence, expected: number, events: readonly JobEvent[]): Promise<Appended>;
  finish(jobId: string, finisher: Finisher, events: readonly JobEvent[], outcome: Outcome): Promise<Finished>;
  /** The job with at most `atMost` entries after the sequence `after`; default: all of them. */
  read(jobId: string, after: number, reader?: string, atMost?: number): Promise<JobView | undefined>;
  /** The states of these jobs, in the order of the ids, in one round trip. */
  standings(jobIds: readonly string[]): Promise<Standing[]>;
  /** Requests the job's cancellation. Returns its current state, or `missing`. */
  cancel(jobId: string, by: CancelledBy): Promise<JobState | 'missing'>;
  /** The `original` given at admission; undefined without a record. */
  original(jobId: string): Promise<string | undefined>;
  /** The body hash given at admission; undefined without a record. */
  bodyHash(jobId: string): Promise<string | undefined>;
  /** The owner of a deleted job, while its record exists; undefined for any other job. */
  ownerOfDeleted(jobId: string): Promise<string | undefined>;
  /** Records that an ended job's outcome is published, and removes its outbox row. When its hooks have run as well, its retention begins. */
  published(jobId: string, outboxRow: string): Promise<void>;
  /** Records that an ended job's hooks have run. `deleted`: the job was deleted meanwhile, and no copy of it may stay. */
  settle(jobId: string): Promise<'settled' | 'deleted' | 'missing'>;
  /** Makes an ended job unreadable: `read` no longer finds it. Returns the state of a job that is still open, without any change. */
  delete(jobId: string): Promise<'deleted' | 'missing' | JobState>;
  /** Removes a process from the job's readers. `cancelling`: it was the last one, and the job must end now. */
  leave(jobId: string, reader: string): Promise<'cancelling' | 'left'>;
}

export interface JobLogOptions {
  redis: Redis;
  keys: JobKeys;
  /** Milliseconds that an ended job's record and log are kept after its outcome was published and its hooks have run. */
  retentionMs: number;
  /** Default: this process's clock. */
  now?: () => number;
}

/** An open record expires long after any deadline, so it is still there when the job ends. */
const OPEN_LIFETIME_MS = 8 * 86_400_000;
/** Clients that are reading the log of a deleted job have this long to reach its end. */
const DELETED_LOG_MS = 60_000;

const stateOrMissing = z.union([jobState, z.literal('').transform(() => 'missing' as const)]);
const admitReply = z.union([
  z.tuple([z.literal('new')]),
  z.tuple([z.literal('exists'), jobState, z.string(), z.string(), z.int(), z.int()]),
]);
const routeReply = z.union([z.enum(['routed', 'again', 'earlier']), stateOrMissing]);
const cancelFlag = z.union([cancelledBy, z.literal('').transform(() => undefined)]);
const beginReply = z.union([
  z.tuple([z.literal('begun'), z.int(), z.int(), cancelFlag]),
  z.tuple([z.literal('earlier')]),
  z.tuple([stateOrMissing]),
]);
const refusals = z.union([
  z.tuple([z.literal('behind'), z.int()]),
  z.tuple([z.literal('fenced')]),
  z.tuple([stateOrMissing]),
]);
const appendReply = z.union([z.tuple([z.literal('appended'), z.int(), cancelFlag]), refusals]);
const ended = z.tuple([z.literal('finished'), z.string(), z.int(), hookNames]);
const serveReply = z.union([ended, z.tuple([])]);
const finishReply = z.union([ended, z.tuple([z.literal('moved')]), refusals]);
const entry = z.tuple([z.string(), z.tuple([z.literal('e'), z.string()])]);
const settleReply = z.union([
  z.enum(['settled', 'deleted']),
  z.literal('').transform(() => 'missing' as const),
]);
const deleteReply = z.union([z.literal('deleted'), stateOrMissing]);
const leaveReply = z.enum(['cancelling', 'left']);
const readReply = z.union([
  z.tuple([
    jobState,
    z.string(),
    z.int(),
    z.int(),
    z.int(),
    z.string(),
    z.string(),
    z.string(),
    z.array(entry),
  ]),
  z.tuple([]),
]);

function toMark(text: string): AttemptMark | undefined {
  const [sequence, at] = text.split(' ').map(Number);
  return sequence !== undefined && at !== undefined ? { sequence, at } : undefined;
}

const script = (name: string) => new URL(`scripts/${name}.lua`, import.meta.url);
const PRELUDE = [script('prelude')];

export function createJobLog({ redis, keys, retentionMs, now = Date.now }: JobLogOptions): JobLog {
  const admit = defineScript(redis, script('admit'), PRELUDE);
  const refuse = defineScript(redis, script('refuse'));
  const route = defineScript(redis, script('route'), PRELUDE);
  const serve = defineScript(redis, script('serve'), PRELUDE);
  const begin = defineScript(redis, script('begin'), PRELUDE);
  const append = defineScript(redis, script('append'), PRELUDE);
  const finish = defineScript(redis, script('finish'), PRELUDE);
  const read = defineScript(redis, script('read'), PRELUDE);
  const cancel = defineScript(redis, script('cancel'), PRELUDE);
  const leave = defineScript(redis, script('leave'), PRELUDE);
  const settle = defineScript(redis, script('settle'), PRELUDE);
  const remove = defineScript(redis, script('delete'), PRELUDE);
  const log = (jobId: string) => [keys.record(jobId), keys.log(jobId)];
  const owing = (jobId: string) => [...log(jobId), keys.outbox(jobId)];
  const ending = (jobId: string) => [...log(jobId), keys.open(jobId), keys.outbox(jobId)];

  return {
    now: () => now(),

    async admit(job) {
      const keysOf = [keys.record(job.jobId), keys.open(job.jobId)];
      const reply = admitReply.parse(await admit(keysOf, admitArguments(job)));
      if (reply[0] === 'new') return { kind: 'new' };
      const [, state, owner, bodyHash, lastSequence, createdAt] = reply;
      return { kind: 'exists', state, owner, bodyHash, lastSequence, createdAt };
    },

    async refuse(jobId, publisher = '') {
      return stateOrMissing.parse(
        await refuse([keys.record(jobId), keys.open(jobId)], [jobId, retentionMs, publisher]),
      );
    },

    async route(jobId, events, deadlineAt) {
      const args = [jobId, OPEN_LIFETIME_MS, deadlineAt ?? '', ...toJson(events)];
      return routeReply.parse(await route(log(jobId), args));
    },

    async serve(jobId, events, outcome) {
      const args = [jobId, JSON.stringify(outcome), OPEN_LIFETIME_MS, ...toJson(events)];
      const reply = serveReply.parse(await serve(ending(jobId), args));
      return reply.length === 0 ? undefined : toEnded(reply);
    },

    async begin(jobId, { nonce, path, holder, deadlineAt }) {
      const args = [jobId, nonce, now(), path, holder, deadlineAt];
      const reply = beginReply.parse(await begin(log(jobId), args));
      if (reply[0] === 'earlier') return { kind: 'earlier' };
      if (reply[0] !== 'begun') return { kind: 'over', state: reply[0] };
      return { kind: 'begun', fence: { counter: reply[1], nonce }, lastSequence: reply[2], cancel: reply[3] };
    },

    async append(jobId, fence, expected, events) {
      const args = [jobId, fence.counter, fence.nonce, expected, ...toJson(events)];
      const reply = appendReply.parse(await append(log(jobId), args));
      if (reply[0] !== 'appended') return refusal(reply);
      return { kind: 'appended', lastSequence: reply[1], cancel: reply[2] };
    },

    async finish(jobId, finisher, events, outcome) {
      const { fence, expected } = finisher;
      const holder = [fence?.counter ?? '', fence?.nonce ?? '', expected];
      const args = [
        jobId,
        ...holder,
        outcome.status,
        JSON.stringify(outcome),
        OPEN_LIFETIME_MS,
        ...toJson(events),
      ];
      const reply = finishReply.parse(await finish(ending(jobId), args));
      if (reply[0] === 'finished') return toEnded(reply);
      return reply[0] === 'moved' ? { kind: 'moved' } : refusal(reply);
    },

    async read(jobId, after, reader = '', atMost = Number.MAX_SAFE_INTEGER) {
      const reply = readReply.parse(await read(log(jobId), [after, reader, atMost]));
      if (reply.length === 0) return undefined;
      const [state, owner, lastSequence, deadlineAt, createdAt, user, model, begun, entries] = reply;
      return {
        state,
        owner,
        lastSequence,
        deadlineAt,
        createdAt,
        userHash: user,
        model,
        lastAttempt: toMark(begun),
        entries: entries.map(toEvent),
      };
    },

    standings(jobIds) {
      return Promise.all(
        jobIds.map(async (jobId) => {
          const [state, flag] = await redis.hmget(keys.record(jobId), 'state', 'cancel');
          return { jobId, state: stateOrMissing.parse(state ?? ''), cancel: cancelFlag.parse(flag ?? '') };
        }),
      );
    },

    async cancel(jobId, by) {
      return stateOrMissing.parse(await cancel([keys.record(jobId)], [jobId, by, now()]));
    },

    async original(jobId) {
      return (await redis.hget(keys.record(jobId), 'original')) ?? undefined;
    },

    async bodyHash(jobId) {
      return (await redis.hget(keys.record(jobId), 'hash')) ?? undefined;
    },

    async ownerOfDeleted(jobId) {
      const [owner, deleted] = await redis.hmget(keys.record(jobId), 'owner', 'deleted');
      return deleted ? (owner ?? undefined) : undefined;
    },

    async published(jobId, outboxRow) {
      settleReply.parse(await settle(owing(jobId), [retentionMs, 'outcome', outboxRow]));
    },

    async settle(jobId) {
      return settleReply.parse(await settle(owing(jobId), [retentionMs, 'hooks', '']));
    },

    async delete(jobId) {
      return deleteReply.parse(await remove(log(jobId), [DELETED_LOG_MS, retentionMs]));
    },

    async leave(jobId, reader) {
      return leaveReply.parse(await leave([keys.record(jobId)], [jobId, reader, now()]));
    },
  };
}

function admitArguments(job: NewJob): (string | number)[] {
  const {
    jobId,
    owner,
    bodyHash,
    acceptedAt,
    deadlineAt,
    reader,
    userHash,
    model,
    graceMs,
    hookNames: owed = [],
    original = '',
    publisher = '',
  } = job;
  const life = graceMs === undefined ? ['0', 0] : ['1', graceMs];
  return [
    jobId,
    owner,
    bodyHash,
    deadlineAt,
    acceptedAt,
    reader,
    OPEN_LIFETIME_MS,
    userHash,
    model,
    ...life,
    owed.join(' '),
    original,
    publisher,
  ];
}

function toEnded([kind, outboxRow, lastSequence, owed]: z.infer<typeof ended>): Ended {
  return { kind, outboxRow, lastSequence, hookNames: owed };
}

function toJson(events: readonly JobEvent[]): string[] {
  return events.map((event) => JSON.stringify(event));
}

function toEvent([id, [, json]]: z.infer<typeof entry>): SequencedEvent {
  return { sequence: Number.parseInt(id, 10), event: readEvent(JSON.parse(json)) };
}

function refusal(reply: z.infer<typeof refusals>): Exclude<Appended, { kind: 'appended' }> {
  if (reply[0] === 'behind') return { kind: 'behind', lastSequence: reply[1] };
  if (reply[0] === 'fenced') return { kind: 'fenced' };
  return { kind: 'over', state: reply[0] };
}
