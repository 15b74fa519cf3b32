import { generator } from '../../upstream/core/random.ts';

/** Every kind of fault, in the order of the table. */
export const kinds = [
  'kill ingress',
  'kill router',
  'kill context-worker',
  'kill llm-worker',
  'kill llm-worker twice',
  'freeze llm-worker',
  'kill metrics',
  'kill cache',
  'kill Redis',
  'kill Kafka',
  'stop LiteLLM',
  'delay Redis',
  'cut Redis',
  'delay Kafka',
  'cut Kafka',
  'redeliver',
  'poison messages',
  'flush scripts',
  'lose queued jobs',
  'freeze Redis',
  'freeze Kafka',
  'Redis away 5 s',
  'Redis away 15 s',
  'Redis away 60 s',
  'large requests',
  'flood of large jobs',
  'clock ahead',
  'clock behind',
  'idle Kafka outage',
  'recreated topic',
  'failing hook',
  'lost registry',
  'lossy failover',
  'full disk of Redis',
  'full disk of Kafka',
  'full disk of blobs',
  'mixed versions',
] as const;
export type Kind = (typeof kinds)[number];

/** Faults that occur while no job is running: half of the round's jobs have ended, and the others have not begun. */
export const quietKinds: ReadonlySet<Kind> = new Set(['idle Kafka outage', 'recreated topic']);

export interface SuitePlan {
  seed: number;
  rounds: readonly Round[];
}

/** One fault, and the jobs that run when it occurs. */
export interface Round {
  number: number;
  kind: Kind;
  /** Milliseconds after the start of the round. */
  strikeAfterMs: number;
  /** Decides random choices, such as which instance is killed. */
  seed: number;
  jobs: readonly JobPlan[];
}

export type Manner =
  /** Retries failed requests, with its idempotency key. */
  | 'patient'
  /** Has no idempotency key, and so never retries. */
  | 'once'
  /** Hangs up, and comes back with its idempotency key. */
  | 'returning'
  /** Hangs up for good. It has no idempotency key, so its job is cancelled. */
  | 'vanishing';

export interface JobPlan {
  /** Index of the question. */
  question: number;
  stream: boolean;
  manner: Manner;
  /** Milliseconds after the start of the round. */
  startAfterMs: number;
  /** For clients that hang up: milliseconds after the request. */
  hangUpAfterMs: number;
  /** From 0. The users' jobs are spread over Kafka's partitions. */
  user: number;
  /** Which of the two ingresses is asked first. */
  ingress: 0 | 1;
}

export interface SuiteSize {
  seed: number;
  jobs: number;
  faultsOfEachKind: number;
  kinds: readonly Kind[];
  questions: number;
}

export const USERS = 12;
/** Below what the system sustains on two cores. Otherwise the measured silences would be queueing time. */
const JOBS_PER_SECOND = 16;

/** The same size and seed give the same plan. */
export function planSuite({ seed, jobs, faultsOfEachKind, kinds: chosen, questions }: SuiteSize): SuitePlan {
  const random = generator(seed);
  const faults = shuffled(
    chosen.flatMap((kind) => Array.from({ length: faultsOfEachKind }, () => kind)),
    random,
  );
  const perRound = Math.ceil(jobs / Math.max(1, faults.length));
  const roundMs = (perRound / JOBS_PER_SECOND) * 1_000;
  const rounds = faults.map((kind, number): Round => ({
    number,
    kind,
    strikeAfterMs: Math.round(roundMs * (0.2 + 0.4 * random())),
    seed: Math.floor(random() * 2 ** 32),
    jobs: Array.from({ length: Math.min(perRound, jobs - number * perRound) }, () =>
      planJob({ questions, roundMs, random }),
    ),
  }));
  return { seed, rounds };
}

function mannerOf(draw: number): Manner {
  if (draw < 0.55) return 'patient';
  if (draw < 0.8) return 'once';
  return draw < 0.9 ? 'returning' : 'vanishing';
}

interface Draw {
  questions: number;
  roundMs: number;
  random: () => number;
}

function planJob({ questions, roundMs, random }: Draw): JobPlan {
  return {
    question: Math.floor(random() * questions),
    stream: random() < 0.65,
    manner: mannerOf(random()),
    startAfterMs: Math.round(random() * roundMs),
    hangUpAfterMs: 100 + Math.round(random() * 2_000),
    user: Math.floor(random() * USERS),
    ingress: random() < 0.5 ? 0 : 1,
  };
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((one, other) => one.key - other.key).map(({ item }) => item);
}
