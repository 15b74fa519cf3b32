/** A conversation as the simulator sees it: roles and text, independent of the provider's wire format. */
interface ToolCall {
  id: string;
  name: string;
  arguments: string;
}

export interface Turn {
  role: 'system' | 'user' | 'assistant' | 'tool';
  text: string;
  toolCalls: readonly ToolCall[];
  /** The id of the call that a `tool` turn answers. */
  toolCallId: string | null;
  /** Number of images, audio parts and files in the turn. They are counted, never read. */
  attachments: number;
}

export type Continuation = 'none' | 'prefill' | 'request';

export interface Conversation {
  /** Everything before the partial answer. The whole answer is a pure function of these turns. */
  turns: readonly Turn[];
  partial: string;
  continuation: Continuation;
  /** The last words of the partial answer that the continuation must begin with. */
  lead: string;
}

/**
 * A continuation request is a last user message that begins by asking to continue an interrupted answer, such as "Continue the partial
 * answer ...", "Please continue exactly where you left off" or "Your answer was interrupted. Go on from ...". The partial answer is the
 * assistant message before it, or is inside it as <partial>...</partial>. The words in <last_words>...</last_words> must be repeated
 * first. A bare "continue" is an ordinary question of the user, not a continuation request.
 */
const REQUEST = [
  /^\W{0,20}(?:please\s+)?(?:continue|resume|go on|carry on)\b[^\n]{0,160}?\b(?:partial|interrupted|unfinished|incomplete|cut off|exactly|left off|broke off|stopped|ended)\b/i,
  /^[^\n]{0,200}?\b(?:interrupted|cut off|unfinished|incomplete|partial|broke off)\b[^\n]{0,200}?\b(?:continue|resume|go on|carry on)\b/i,
];
const PARTIAL_IN_REQUEST = /<(partial(?:[_-]answer)?)>([\s\S]*?)<\/\1>/i;

const LEAD_IN_REQUEST = /<last_words>([\s\S]*?)<\/last_words>\s*$/;

const isPrefill = (turn: Turn | undefined): turn is Turn =>
  turn?.role === 'assistant' && turn.toolCalls.length === 0 && turn.text !== '';

/** The content of a continuation request at the end of the conversation, and how many turns it spans. */
function lastRequest(turns: readonly Turn[]): { partial: string; lead: string; length: number } | null {
  const last = turns.at(-1);
  if (last?.role !== 'user' || !REQUEST.some((opening) => opening.test(last.text))) return null;
  const lead = LEAD_IN_REQUEST.exec(last.text)?.[1] ?? '';
  const quoted = PARTIAL_IN_REQUEST.exec(last.text)?.[2];
  if (quoted !== undefined) return { partial: quoted, lead, length: 1 };
  const before = turns.at(-2);
  return isPrefill(before) ? { partial: before.text, lead, length: 2 } : null;
}

/** Splits off the partial answer: a trailing assistant message, or one or several stacked continuation requests. */
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
 * The rest of `whole` after `partial`. White space trimmed from the end of the partial answer and line breaks around it are tolerated. If
 * `partial` is not a prefix of `whole`, the result is the whole answer, as from a model that cannot continue.
 */
export function remainder(whole: string, partial: string): string {
  const exact = [partial, partial.replace(/^\n|\n$/g, '')].find((candidate) => whole.startsWith(candidate));
  if (exact !== undefined) return whole.slice(exact.length);
  const trimmed = partial.trimEnd();
  return trimmed !== '' && whole.startsWith(trimmed) ? whole.slice(trimmed.length).trimStart() : whole;
}
