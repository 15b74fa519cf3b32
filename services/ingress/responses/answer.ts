import { type FastifyReply } from 'fastify';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { openEventStream } from '../answers/event-stream.ts';
import { type EventGroups, setJobHeaders, throwIfFailed } from '../answers/job-answer.ts';
import { type ResponseBody } from './response-body.ts';
import { type ResponseProjection } from './response-events.ts';

export interface AnswerOptions {
  reply: FastifyReply;
  events: EventGroups;
  /** The projection of this response, before any event was taken. */
  projection: ResponseProjection;
}

/** Waits for the end of the job and returns the complete response. Throws the error of a failed job. */
export async function sendResponse({ reply, events, projection }: AnswerOptions): Promise<ResponseBody> {
  for await (const group of events) {
    for (const { event } of group) {
      setJobHeaders(reply, event);
      projection.take(event);
      throwIfFailed(event);
    }
  }
  return projection.body();
}

/**
 * Responds with OpenAI's event stream: the events with a sequence number above `after` (-1: all).
 *
 * A failure of the response itself is `response.failed`, an event of its log. A failure of only this stream (the process shuts
 * down, or the log lost its end) is an `error` event with the number of the last event sent, so that `starting_after` with any
 * number that a client has seen continues correctly. A reader that is ahead of the log gets `log_rewound`.
 */
export async function streamResponse({
  reply,
  events,
  projection,
  after,
}: AnswerOptions & { after: number }): Promise<void> {
  const stream = openEventStream(reply);
  let last = -1;
  try {
    for await (const group of events) {
      for (const { event } of group) {
        setJobHeaders(reply, event);
        for (const sent of projection.take(event)) {
          last = sent.sequence_number;
          if (last > after) stream.event(sent.type, sent);
        }
      }
      stream.open();
      await stream.flush();
    }
    if (last < after) throw new TurnoutError('log_rewound');
  } catch (error) {
    const failure = TurnoutError.from(error);
    if (!stream.opened()) throw failure;
    stream.event('error', toErrorEvent(failure, Math.max(last, after, 0)));
  } finally {
    await stream.close();
  }
}

function toErrorEvent({ code, message, param }: TurnoutError, sequence_number: number): object {
  return { type: 'error', code, message, param: param ?? null, sequence_number };
}
