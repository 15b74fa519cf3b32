import { type JobEvent } from '../../../shared/contracts/job-event.ts';

/** The name of the assistant that answers the job; undefined if there is none or it is not selected yet. */
export function assistantOf(events: readonly JobEvent[]): string | undefined {
  return events.find((event) => event.type === 'assistant')?.name;
}

/** The model that answers, if the client left the choice to Turnout and this event reports it. */
export function modelOf(event: JobEvent): string | undefined {
  return event.type === 'routed' ? event.model : undefined;
}
