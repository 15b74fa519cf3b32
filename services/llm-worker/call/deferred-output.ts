import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { isAllOrNothing } from './continuation.ts';

/** When what a call of the model brings goes into the log. */
export interface DeferredOutput {
  take(events: readonly JobEvent[]): void;
  /** The call has ended; `whole`: well. */
  end(whole: boolean): void;
}

/**
 * At once, as a rule. But of an answer that could not be taken up again, and that nobody reads as it comes, nothing is
 * shown before its call has ended well: if the call is cut, or lost with its worker, the next one simply begins anew.
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
