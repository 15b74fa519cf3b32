import { type FastifyReply } from 'fastify';
import { type JobEvent, isTerminal, isVisible } from '../../../shared/contracts/job-event.ts';
import { toEnvelope } from '../../../shared/platform/errors/openai-envelope.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { openEventStream } from '../answers/event-stream.ts';
import { type EventGroups, setJobHeaders, throwIfFailed } from '../answers/job-answer.ts';
import { toCompletion } from './completion.ts';
import { type CompletionHead, createChunkEncoder } from './completion-chunks.ts';

interface AnswerOptions {
  reply: FastifyReply;
  events: EventGroups;
  head: CompletionHead;
}

/** Waits for the end of the job and returns one `chat.completion`. Throws the error of a failed job. */
export async function sendCompletion({ reply, events, head }: AnswerOptions): Promise<object> {
  const all: JobEvent[] = [];
  for await (const group of events) {
    for (const { event } of group) all.push(event);
  }
  all.forEach((event) => setJobHeaders(reply, event));
  throwIfFailed(all.at(-1));
  return toCompletion(head, all);
}

/**
 * Responds with server-sent events: waiting -> open -> ended.
 *
 * Nothing is sent before the first visible event, so that an early failure keeps its HTTP status and SDKs raise their typed
 * errors. If that takes long, the stream opens with a comment, and later failures are sent inside the stream.
 */
export async function streamCompletion({
  reply,
  events,
  head,
  includeUsage,
}: AnswerOptions & { includeUsage: boolean }) {
  const encode = createChunkEncoder(head, includeUsage);
  const stream = openEventStream(reply);
  try {
    for await (const group of events) {
      for (const { event } of group) {
        setJobHeaders(reply, event);
        if (isTerminal(event)) throwIfFailed(event);
        for (const chunk of encode(event)) stream.data(chunk);
      }
      if (group.some(({ event }) => isVisible(event))) stream.open();
      await stream.flush();
    }
    stream.done();
  } catch (error) {
    const failure = TurnoutError.from(error);
    if (!stream.opened()) throw failure;
    stream.data(toEnvelope(failure));
  } finally {
    await stream.close();
  }
}
