import { generator, pick } from '../../upstream/core/random.ts';

/** Everything that is done to the system, in the order of the table. */
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
] as const;
export type Kind = (typeof kinds)[number];

export interface SuitePlan {
  seed: number;
  rounds: readonly Round[];
}

/** One fault, and the jobs that are under way when it strikes. */
export interface Round {
  number: number;
  kind: Kind;
  /** Milliseconds after the first job. */
  strikeAfterMs: number;
  /** Chooses among equals: which instance dies. */
  seed: number;
  jobs: readonly JobPlan[];
}

export type Manner =
  /** Retries what failed, with its idempotency key. */
  | 'patient'
  /** Has no idempotency key, and so never asks again. */
  | 'once'
  /** Hangs up, and comes back with its key. */
  | 'returning'
  /** Hangs up for good. */
  | 'vanishing';

export interface JobPlan {
  /** Position among the questions. */
  question: number;
  stream: boolean;
  manner: Manner;
  /** Milliseconds after the round's beginning. */
  startAfterMs: number;
  /** Of those who hang up: milliseconds after asking. */
  hangUpAfterMs: number;
  user: 0 | 1;
  /** Which of two ingresses is asked first. */
  ingress: 0 | 1;
}

export interface SuiteSize {
  seed: number;
  jobs: number;
  faultsOfEachKind: number;
  kinds: readonly Kind[];
  questions: number;
}

/** Jobs of a round begin within this time. Milliseconds. */
const ROUND_MS = 3_000;

/** The same size and seed give the same plan. */
export function planSuite({ seed, jobs, faultsOfEachKind, kinds: chosen, questions }: SuiteSize): SuitePlan {
  const random = generator(seed);
  const faults = shuffled(
    chosen.flatMap((kind) => Array.from({ length: faultsOfEachKind }, () => kind)),
    random,
  );
  const perRound = Math.ceil(jobs / Math.max(1, faults.length));
  const rounds = faults.map((kind, number): Round => ({
    number,
    kind,
    strikeAfterMs: Math.round(ROUND_MS * (0.3 + 0.4 * random())),
    seed: Math.floor(random() * 2 ** 32),
    jobs: Array.from({ length: Math.min(perRound, jobs - number * perRound) }, () => planJob(questions, random)),
  }));
  return { seed, rounds };
}

const MANNERS = [
  ...Array<Manner>(11).fill('patient'),
  ...Array<Manner>(5).fill('once'),
  'returning',
  'returning',
  'vanishing',
  'vanishing',
] as [Manner, ...Manner[]];

function planJob(questions: number, random: () => number): JobPlan {
  return {
    question: Math.floor(random() * questions),
    stream: random() < 0.65,
    manner: pick(MANNERS, Math.floor(random() * MANNERS.length)),
    startAfterMs: Math.round(random() * ROUND_MS),
    hangUpAfterMs: 100 + Math.round(random() * 2_000),
    user: random() < 0.5 ? 0 : 1,
    ingress: random() < 0.5 ? 0 : 1,
  };
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((one, other) => one.key - other.key).map(({ item }) => item);
}
