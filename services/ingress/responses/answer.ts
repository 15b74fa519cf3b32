import { type FastifyReply } from 'fastify';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { openEventStream } from '../answers/event-stream.ts';
import { type EventGroups, setJobHeaders, throwIfFailed } from '../answers/job-answer.ts';
import { type ResponseBody } from './response-body.ts';
import { type ResponseProjection } from './response-events.ts';

export interface AnswerOptions {
  reply: FastifyReply;
  events: EventGroups;
  /** Of the response, with nothing taken yet. */
  projection: ResponseProjection;
}

/** Waits for the end and answers with the whole response. A failed job throws its error. */
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
 * Answers with OpenAI's stream of events: those numbered above `after` (-1: all).
 *
 * What goes wrong with the response is `response.failed`, an event of its log. What goes wrong with this reading alone (the
 * process goes, the log lost its end) is an `error` event under the number of the last one sent, so that `starting_after`
 * with any number that a client has seen goes on rightly. A reader that is ahead of the log is told `log_rewound`.
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
