import { type FastifyReply } from 'fastify';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

/** How long after the deadline the job's terminal event may still arrive. Milliseconds. */
const END_GRACE_MS = 3_000;
/** The maximum delay of a timer. Milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface WatchedReader {
  signal: AbortSignal;
  end: () => void;
}

/**
 * Aborts when the answer is no longer awaited: the client disconnected, the job's end is overdue (`leftMs`: milliseconds until
 * its deadline), or this process is shutting down.
 */
export function watchReader(reply: FastifyReply, leftMs: number, cut: AbortSignal): WatchedReader {
  const controller = new AbortController();
  const hangUp = () => controller.abort(new TurnoutError('cancelled'));
  const overdue = () => controller.abort(new TurnoutError('deadline_exceeded'));
  const cutOff = () => controller.abort(cut.reason);
  const left = Math.max(0, leftMs + END_GRACE_MS);
  const timer = setTimeout(overdue, Math.min(MAX_TIMER_MS, left));
  if (reply.raw.destroyed) hangUp(); // the client disconnected while the job was being admitted
  reply.raw.once('close', hangUp);
  if (cut.aborted) cutOff();
  cut.addEventListener('abort', cutOff);
  return {
    signal: controller.signal,
    end: () => {
      clearTimeout(timer);
      reply.raw.off('close', hangUp);
      cut.removeEventListener('abort', cutOff);
    },
  };
}
