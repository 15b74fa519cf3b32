import { BoundedMap } from './core/bounded-map.ts';
import type { Continuation } from './core/conversation.ts';

/**
 * The ledger of provider calls. A call is `running` from the moment its request has been read, until it becomes one of: `completed` (the
 * whole answer was handed to the socket), `failed` (answered with an error status), `cut` (the simulator destroyed the socket), or
 * `aborted` (the caller closed the socket before the end). Only `settle` makes this move, and the first call of it wins.
 */
export type Outcome = 'running' | 'completed' | 'failed' | 'cut' | 'aborted';

/** Times are milliseconds since the epoch, with fractions. */
export interface Call {
  id: string;
  job: string | null;
  kind: 'chat' | 'embeddings';
  model: string;
  stream: boolean;
  continuation: Continuation;
  /** 1 for the first call of its job; without a job id, for the first call of its conversation. */
  attempt: number;
  startedAt: number;
  firstTokenAt: number | null;
  endedAt: number | null;
  outcome: Outcome;
  status: number | null;
  /** The fault that occurred, with any outcome. */
  fault: 'fail' | 'badKey' | 'cut' | 'stall' | 'streamError' | 'malformed' | 'hang' | null;
  promptTokens: number;
  /** Tokens handed to the socket so far, including reasoning. */
  completionTokens: number;
  reasoningTokens: number;
  /** Milliseconds from the first sign that the caller disconnects (FIN or reset) until the socket is closed. */
  abortToCloseMs: number | null;
}

export type NewCall = Pick<
  Call,
  'job' | 'kind' | 'model' | 'stream' | 'continuation' | 'promptTokens' | 'startedAt'
> & {
  /** Used in place of the job when there is no job id. */
  conversation: string;
};

export interface Totals {
  calls: number;
  running: number;
  completed: number;
  failed: number;
  cut: number;
  aborted: number;
  /** Token counts of settled calls. */
  promptTokens: number;
  completionTokens: number;
  reasoningTokens: number;
  /** Requests refused before they became a call: bad JSON, unknown path, body too large. */
  refused: number;
}

export interface LedgerView {
  totals: Totals;
  /** Calls by job. Calls without a job id have the key ''. */
  jobs: Record<string, Call[]>;
  /** Calls dropped because the ledger was full. The totals still include them. */
  dropped: number;
}

const now = (): number => performance.timeOrigin + performance.now();

function noTotals(): Totals {
  return {
    calls: 0,
    running: 0,
    completed: 0,
    failed: 0,
    cut: 0,
    aborted: 0,
    promptTokens: 0,
    completionTokens: 0,
    reasoningTokens: 0,
    refused: 0,
  };
}

export class Ledger {
  readonly #capacity: number;
  #calls = new Set<Call>();
  /** Calls that the totals include. Weak, so that dropped calls can be collected. */
  #counted = new WeakSet<Call>();
  #attempts: BoundedMap<string, number>;
  #totals = noTotals();
  #dropped = 0;
  #issued = 0;
  /** Makes ids unique across restarts of the process. */
  readonly #run = Date.now().toString(36);

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#attempts = new BoundedMap(capacity);
  }

  open(fresh: NewCall): Call {
    const { conversation, ...known } = fresh;
    const counted = `${fresh.kind} ${fresh.job === null ? `conversation ${conversation}` : `job ${fresh.job}`}`;
    const attempt = (this.#attempts.get(counted) ?? 0) + 1;
    this.#attempts.set(counted, attempt);
    this.#issued += 1;
    const call: Call = {
      id: `sim-${this.#run}-${this.#issued.toString(36)}`,
      ...known,
      attempt,
      firstTokenAt: null,
      endedAt: null,
      outcome: 'running',
      status: null,
      fault: null,
      completionTokens: 0,
      reasoningTokens: 0,
      abortToCloseMs: null,
    };
    this.#totals.calls += 1;
    this.#totals.running += 1;
    this.#remember(call);
    return call;
  }

  /** Ends a call. Has no effect on a call that has ended. */
  settle(
    call: Call,
    outcome: Exclude<Outcome, 'running'>,
    details: Partial<Pick<Call, 'status' | 'abortToCloseMs'>> = {},
  ): void {
    if (call.outcome !== 'running') return;
    Object.assign(call, details, { outcome, endedAt: now() });
    // A call that began before a reset is no longer in the totals.
    if (!this.#counted.has(call)) return;
    this.#totals.running -= 1;
    this.#totals[outcome] += 1;
    this.#totals.promptTokens += call.promptTokens;
    this.#totals.completionTokens += call.completionTokens;
    this.#totals.reasoningTokens += call.reasoningTokens;
  }

  refuse(): void {
    this.#totals.refused += 1;
  }

  view(job: string | null): LedgerView {
    const jobs: Record<string, Call[]> = {};
    for (const call of this.#calls) {
      const key = call.job ?? '';
      if (job === null || job === key) (jobs[key] ??= []).push(call);
    }
    return { totals: this.#totals, jobs, dropped: this.#dropped };
  }

  reset(): void {
    this.#calls = new Set();
    this.#counted = new WeakSet();
    this.#attempts.clear();
    this.#totals = noTotals();
    this.#dropped = 0;
  }

  #remember(call: Call): void {
    this.#calls.add(call);
    this.#counted.add(call);
    for (const oldest of this.#calls) {
      if (this.#calls.size <= this.#capacity) break;
      this.#calls.delete(oldest);
      this.#dropped += 1;
    }
  }
}
