import { type FastifyReply } from 'fastify';
import { type JobError, type JobEvent, isTerminal, isVisible } from '../../../shared/contracts/job-event.ts';
import { toEnvelope } from '../../../shared/errors/openai-envelope.ts';
import { TurnoutError } from '../../../shared/errors/turnout-error.ts';
import { type SequencedEvent } from '../../../shared/joblog/job-log.ts';
import { openEventStream } from '../event-stream.ts';
import { toCompletion } from './completion.ts';
import { type CompletionHead, createChunkEncoder } from './completion-chunks.ts';

type Events = AsyncIterable<SequencedEvent[]>;

interface AnswerOptions {
  reply: FastifyReply;
  events: Events;
  head: CompletionHead;
}

/** Waits for the end and answers with one `chat.completion`. A failed job throws its error. */
export async function answerWhole({ reply, events, head }: AnswerOptions): Promise<object> {
  const all: JobEvent[] = [];
  for await (const group of events) {
    for (const { event } of group) all.push(event);
  }
  all.forEach((event) => setJobHeaders(reply, event));
  throwIfFailed(all.at(-1));
  return toCompletion(head, all);
}

/**
 * Answers with server-sent events: waiting -> open -> ended.
 *
 * Nothing is sent before the first visible event, so that an early failure keeps its HTTP status and the SDKs raise
 * their typed errors; when that takes long, the stream opens with a comment and later failures travel inside it.
 */
export async function answerStream({
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

function throwIfFailed(event: JobEvent | undefined): void {
  if (event?.type === 'failed') throw fromJobError(event.error);
  if (event?.type === 'cancelled') throw new TurnoutError('cancelled');
}

function fromJobError({ code, message, param, retryAfterS }: JobError): TurnoutError {
  return new TurnoutError(code, { message, param, retryAfterS });
}

function setJobHeaders(reply: FastifyReply, event: JobEvent): void {
  if (event.type === 'routed') reply.header('x-turnout-path', event.path);
  if (event.type === 'attempt' && event.attempt === 1) reply.header('x-turnout-attempts', '1');
  if (event.type === 'retry')
    reply.header('x-turnout-attempts', String(Number(reply.getHeader('x-turnout-attempts')) + 1));
}
