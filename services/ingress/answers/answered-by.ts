import { type JobEvent } from '../../../shared/contracts/job-event.ts';

/** The name of the assistant that answers a job; undefined where none does, or it is not chosen yet. */
export function assistantOf(events: readonly JobEvent[]): string | undefined {
  return events.find((event) => event.type === 'assistant')?.name;
}

/** The model that answers, where the client left that to us and it is known by then. */
export function modelOf(event: JobEvent): string | undefined {
  return event.type === 'routed' ? event.model : undefined;
}
