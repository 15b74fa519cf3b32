import { type CancelledBy, type JobEvent } from '../../../shared/contracts/job-event.ts';
import { type Outcome } from '../../../shared/contracts/outcome.ts';
import { type HookName } from '../../../shared/contracts/hook-names.ts';
import { mergeDeltas } from '../../../shared/jobs/joblog/merge-deltas.ts';
import {
  type Appended,
  type Fence,
  type JobLog,
  type JobState,
} from '../../../shared/jobs/joblog/job-log.ts';

/** The attempt may no longer write, because another attempt holds the fence or the job has ended. Callers must stop spending. */
export class AttemptOver extends Error {
  override readonly name = 'AttemptOver';
  readonly why: 'fenced' | JobState | 'missing';

  constructor(why: AttemptOver['why']) {
    super(`the attempt is over: ${why}`);
    this.why = why;
  }
}

export interface AttemptWriter {
  /** Queues events without waiting. They are appended in order; events that arrive during an append go with the next one. */
  write(...events: JobEvent[]): void;
  /** Waits until all written events are in the log. Throws `AttemptOver`. */
  flush(): Promise<void>;
  /** Waits for the written events, then ends the job. Resolves with the outbox row. Throws `AttemptOver`. */
  finish(
    terminal: readonly JobEvent[],
    outcome: Outcome,
  ): Promise<{ outboxRow: string; hookNames: HookName[] }>;
  /** All events that this attempt has written, in order. */
  events(): readonly JobEvent[];
  /** Fires when an append was rejected; `reason` is the `AttemptOver` or the error. */
  readonly lost: AbortSignal;
}

interface AttemptWriterOptions {
  log: JobLog;
  jobId: string;
  fence: Fence;
  /** Sequence of the log's last event when the attempt began. */
  lastSequence: number;
  /** Called for each append that finds a cancellation request in the job record. */
  onCancel: (by: CancelledBy) => void;
}

/**
 * States: idle -> appending -> idle | lost. Only `pump` moves between them.
 *
 * The writer keeps every event of its attempt until the job ends. If Redis comes back without the end of the log, the append script
 * returns `behind`, and the writer sends the missing events again.
 */
export function createAttemptWriter({
  log,
  jobId,
  fence,
  lastSequence,
  onCancel,
}: AttemptWriterOptions): AttemptWriter {
  const base = lastSequence;
  const events: JobEvent[] = [];
  const lost = new AbortController();
  let appended = 0;
  /** Events before this index have been sent and no longer change; later ones may still be merged. */
  let sent = 0;
  let pumping: Promise<void> | undefined;

  async function pump(): Promise<void> {
    try {
      while (appended < events.length && !lost.signal.aborted) {
        sent = events.length;
        apply(await log.append(jobId, fence, base + appended, events.slice(appended, sent)));
      }
    } catch (error) {
      lost.abort(error);
    }
  }

  function startPump(): void {
    if (pumping || lost.signal.aborted || appended === events.length) return;
    pumping = pump().finally(() => {
      pumping = undefined;
      startPump(); // for events written after the pump's last check
    });
  }

  function apply(result: Appended): void {
    if (result.kind === 'appended') {
      appended = result.lastSequence - base;
      if (result.cancel) onCancel(result.cancel);
    } else if (result.kind === 'behind') rewindTo(result.lastSequence);
    else throw new AttemptOver(result.kind === 'over' ? result.state : 'fenced');
  }

  function rewindTo(sequence: number): void {
    // The log ends before this attempt's first event: it lost events of earlier writers, which cannot be restored.
    if (sequence < base) throw new AttemptOver('missing');
    appended = sequence - base;
  }

  async function flush(): Promise<void> {
    while (pumping) await pumping;
    lost.signal.throwIfAborted();
  }

  function enqueue(event: JobEvent): void {
    const last = events.length > sent ? events.at(-1) : undefined;
    const merged = last && mergeDeltas(last, event);
    if (merged) events[events.length - 1] = merged;
    else events.push(event);
  }

  return {
    events: () => events,
    lost: lost.signal,
    write: (...more) => {
      for (const event of more) enqueue(event);
      startPump();
    },
    flush,
    finish: async (terminal, outcome) => {
      for (;;) {
        await flush();
        const rest = [...events.slice(appended), ...terminal];
        const result = await log.finish(jobId, { fence, expected: base + appended }, rest, outcome);
        if (result.kind === 'finished') return result;
        if (result.kind === 'behind') rewindTo(result.lastSequence);
        else throw new AttemptOver(result.kind === 'over' ? result.state : 'fenced');
      }
    },
  };
}
