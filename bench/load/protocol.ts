/** What the benchmark says to its client process, and what that answers. Times are milliseconds. */
export interface Target {
  name: string;
  /** Of the server, with `/v1`. */
  baseUrl: string;
  /** Keys that requests take in turn: each belongs to another user. */
  apiKeys: readonly string[];
}

/** What one request asks of the model. The answer's length and pace are the simulator's knobs. */
export interface RequestShape {
  stream: boolean;
  /** Tokens of the answer. */
  tokens: number;
  /** Milliseconds before the upstream's first token. */
  ttft: number;
  /** Tokens per second of the upstream; 0: all at once. */
  tokensPerSecond: number;
}

/**
 * Users who send, read to the end, think and send again. They all use the targets in turn (A B A B ...), the same number of
 * requests to each before they change over, so that a drift of the machine meets every target alike.
 */
export interface UsersTask {
  kind: 'users';
  targets: readonly Target[];
  shape: RequestShape;
  users: number;
  /** Times that every target has its turn. */
  rounds: number;
  /** No round begins after this time, so that a slow machine measures less, not longer. The first one always does. */
  atMostMs: number;
  requestsPerTurn: number;
  /** Each user waits a random time up to this one before each request. */
  thinkMs: number;
  seed: number;
}

/** A closed loop: so many requests are always in flight. */
export interface SaturationTask {
  kind: 'saturation';
  target: Target;
  shape: RequestShape;
  concurrency: number;
  /** Load that is not counted, before that which is. */
  warmUpMs: number;
  measureMs: number;
}

export type Task = UsersTask | SaturationTask;

export interface Sample {
  /** From sending the request to the first byte of the answer's text. */
  ttft: number;
  /** From sending the request to the end of the response. */
  total: number;
  /** Counts the target's turns, from 0. */
  round: number;
}

/** What went wrong, and how often. */
export type Errors = Record<string, number>;

export interface TargetResult {
  target: string;
  samples: Sample[];
  errors: Errors;
  /** Answers that ended while counting. */
  completed: number;
  /** How long was counted. */
  elapsedMs: number;
}

export type ClientMessage =
  | { kind: 'ready' }
  /** The warm-up is over; from now on it counts. */
  | { kind: 'counting' }
  /** The time that counts is over; what is in flight still ends. */
  | { kind: 'counted' }
  | { kind: 'done'; results: TargetResult[] }
  | { kind: 'failed'; message: string };
