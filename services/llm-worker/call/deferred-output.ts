import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { isAllOrNothing } from './continuation.ts';

/** Decides when the events of a model call go into the log. */
export interface DeferredOutput {
  take(events: readonly JobEvent[]): void;
  /** The call has ended; `whole`: successfully. */
  end(whole: boolean): void;
}

/**
 * Events are normally written at once. If the request is not streamed and its partial answer might be impossible to continue, they are
 * held until the call has succeeded. If the call is cut, or its worker dies, the next call can then start from the beginning.
 */
export function createDeferredOutput(
  request: ChatRequest,
  write: (events: readonly JobEvent[]) => void,
): DeferredOutput {
  if (request.stream || !isAllOrNothing(request)) return { take: write, end: () => undefined };
  const held: JobEvent[] = [];
  return {
    take: (events) => held.push(...events),
    end: (whole) => {
      if (whole) write(held);
    },
  };
}
