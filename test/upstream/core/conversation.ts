/** A conversation as the answer sees it: roles and text, whatever provider's wire format it came in. */
interface ToolCall {
  id: string;
  name: string;
  arguments: string;
}

export interface Turn {
  role: 'system' | 'user' | 'assistant' | 'tool';
  text: string;
  toolCalls: readonly ToolCall[];
  /** Which call a `tool` turn answers. */
  toolCallId: string | null;
  /** Images, audio and files in the turn: counted, never read. */
  attachments: number;
}

export type Continuation = 'none' | 'prefill' | 'request';

export interface Conversation {
  /** Everything before the partial answer: the whole answer is a pure function of these. */
  turns: readonly Turn[];
  partial: string;
  continuation: Continuation;
  /** The words of the partial answer's end that the request wants the continuation to begin with. */
  lead: string;
}

/**
 * A continuation request is a last user message that opens by asking to go on with an answer that broke off, such as
 * "Continue the partial answer ...", "Please continue exactly where you left off" or "Your answer was interrupted. Go on
 * from ...". The partial answer is the assistant message before it, or stands in it as <partial>...</partial>. What stands
 * in <last_words>...</last_words> is to be said again first. A bare "continue" is a user's own next question and is not one.
 */
const REQUEST = [
  /^\W{0,20}(?:please\s+)?(?:continue|resume|go on|carry on)\b[^\n]{0,160}?\b(?:partial|interrupted|unfinished|incomplete|cut off|exactly|left off|broke off|stopped|ended)\b/i,
  /^[^\n]{0,200}?\b(?:interrupted|cut off|unfinished|incomplete|partial|broke off)\b[^\n]{0,200}?\b(?:continue|resume|go on|carry on)\b/i,
];
const PARTIAL_IN_REQUEST = /<(partial(?:[_-]answer)?)>([\s\S]*?)<\/\1>/i;

const LEAD_IN_REQUEST = /<last_words>([\s\S]*?)<\/last_words>\s*$/;

const isPrefill = (turn: Turn | undefined): turn is Turn =>
  turn?.role === 'assistant' && turn.toolCalls.length === 0 && turn.text !== '';

/** What one request at the end of the conversation carries, and how many turns it takes up. */
function lastRequest(turns: readonly Turn[]): { partial: string; lead: string; length: number } | null {
  const last = turns.at(-1);
  if (last?.role !== 'user' || !REQUEST.some((opening) => opening.test(last.text))) return null;
  const lead = LEAD_IN_REQUEST.exec(last.text)?.[1] ?? '';
  const quoted = PARTIAL_IN_REQUEST.exec(last.text)?.[2];
  if (quoted !== undefined) return { partial: quoted, lead, length: 1 };
  const before = turns.at(-2);
  return isPrefill(before) ? { partial: before.text, lead, length: 2 } : null;
}

/** Takes a partial answer off the end: a trailing assistant message, or (several stacked) continuation requests. */
export function splitContinuation(all: readonly Turn[]): Conversation {
  const last = all.at(-1);
  if (isPrefill(last))
    return { turns: all.slice(0, -1), partial: last.text, continuation: 'prefill', lead: '' };
  let turns = all;
  let partial = '';
  let continuation: Continuation = 'none';
  const lead = lastRequest(all)?.lead ?? '';
  for (let found = lastRequest(turns); found !== null; found = lastRequest(turns)) {
    turns = turns.slice(0, -found.length);
    partial = found.partial + partial;
    continuation = 'request';
  }
  return { turns, partial, continuation, lead };
}

/**
 * What is left of `whole` after `partial`. White space that was trimmed off the partial's end, and line breaks put around
 * it, do no harm; a partial that is no beginning of the whole gets the whole again, as from a model that lost the thread.
 */
export function remainder(whole: string, partial: string): string {
  const exact = [partial, partial.replace(/^\n|\n$/g, '')].find((candidate) => whole.startsWith(candidate));
  if (exact !== undefined) return whole.slice(exact.length);
  const trimmed = partial.trimEnd();
  return trimmed !== '' && whole.startsWith(trimmed) ? whole.slice(trimmed.length).trimStart() : whole;
}
