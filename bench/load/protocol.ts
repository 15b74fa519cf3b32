/** The messages between the benchmark and its client process. Times are in milliseconds. */
export interface Target {
  name: string;
  /** The server's base URL, including `/v1`. */
  baseUrl: string;
  /** Requests use these keys in turn. Each belongs to another user. */
  apiKeys: readonly string[];
}

/** The properties of a request. The answer's length and pace are set by the simulator's knobs. */
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
 * Users that send a request, read the answer, think and send again. All of them use the targets in turn (A B A B ...), with the same
 * number of requests to each before they switch, so that a drift of the machine affects every target equally.
 */
export interface UsersTask {
  kind: 'users';
  targets: readonly Target[];
  shape: RequestShape;
  users: number;
  /** How many turns each target has. */
  rounds: number;
  /** Except for the first one, no round starts after this time, so that a slow machine measures less instead of longer. */
  atMostMs: number;
  requestsPerTurn: number;
  /** Each user waits a random time up to this one before each request. */
  thinkMs: number;
  seed: number;
}

/** A closed loop: `concurrency` requests are always in flight. */
export interface SaturationTask {
  kind: 'saturation';
  target: Target;
  shape: RequestShape;
  concurrency: number;
  /** How long load is applied before counting starts. */
  warmUpMs: number;
  measureMs: number;
}

export type Task = UsersTask | SaturationTask;

export interface Sample {
  /** From sending the request to the first byte of the answer's text. */
  ttft: number;
  /** From sending the request to the end of the response. */
  total: number;
  /** The number of the target's turn, from 0. */
  round: number;
}

/** Counts by error. */
export type Errors = Record<string, number>;

export interface TargetResult {
  target: string;
  samples: Sample[];
  errors: Errors;
  /** Answers that ended while counting. */
  completed: number;
  /** The duration of the counting. */
  elapsedMs: number;
}

export type ClientMessage =
  | { kind: 'ready' }
  /** The warm-up is over and counting begins. */
  | { kind: 'counting' }
  /** Counting is over. Requests in flight still finish. */
  | { kind: 'counted' }
  | { kind: 'done'; results: TargetResult[] }
  | { kind: 'failed'; message: string };
