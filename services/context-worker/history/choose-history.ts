import { type ChatMessage, textOf } from '../../../shared/contracts/chat-request.ts';
import { matchTexts } from '../documents/rank-passages.ts';
import { measureRequest } from '../../../shared/content/models/measure-request.ts';

export interface HistoryInput {
  messages: readonly ChatMessage[];
  /** Older turns are chosen by their relevance to it. */
  question: string;
  budgetTokens: number;
}

export interface ChosenHistory {
  /** Indices of the kept messages, ascending. */
  keep: number[];
  /** The number of messages that are not kept. */
  leftOut: number;
}

/** A user message with everything that answers it, so that tool calls stay with their results. */
interface Turn {
  /** Indices of its messages. */
  messages: number[];
  /** Counted on demand, because most turns of a long conversation are never considered. */
  tokens: () => number;
}

/** The share of the budget that the newest turns get before older ones are considered. */
const RECENT_SHARE = 0.5;
/** A turn that does not fit may be followed by a smaller one that does; after this many misses the rest is left out. */
const MAX_MISSES = 8;

/**
 * Chooses the messages of a long conversation that go to the model, in this order:
 * 1. system and developer messages and the last turn, always;
 * 2. the newest turns, without a gap, up to half of the remaining budget;
 * 3. the older turns that match the question best (BM25+), as far as they fit;
 * 4. with the budget that is left, the newest remaining turns.
 *
 * No turn is cut. The last turn alone may exceed the budget; then assembling the prompt fails with an error to the client.
 */
export function chooseHistory({ messages, question, budgetTokens }: HistoryInput): ChosenHistory {
  const { standing, turns } = takeApart(messages);
  const kept = new Set<Turn>(turns.slice(-1));
  let left = budgetTokens - tokensOf(messages, standing) - sumOf(kept);
  const keep = (turn: Turn): boolean => {
    if (turn.tokens() > left) return false;
    kept.add(turn);
    left -= turn.tokens();
    return true;
  };
  const newestFirst = turns.slice(0, -1).toReversed();
  const reserve = left * (1 - RECENT_SHARE);
  const recent = newestFirst.findIndex((turn) => left - turn.tokens() < reserve || !keep(turn));
  const older = recent < 0 ? [] : newestFirst.slice(recent);
  let misses = 0;
  for (const turn of byRelevance(older, messages, question))
    if (!keep(turn) && (misses += 1) >= MAX_MISSES) break;
  for (const turn of older) if (!kept.has(turn) && !keep(turn)) break;
  const indices = [...standing, ...[...kept].flatMap((turn) => turn.messages)].sort((a, b) => a - b);
  return { keep: indices, leftOut: messages.length - indices.length };
}

function takeApart(messages: readonly ChatMessage[]): { standing: number[]; turns: Turn[] } {
  const standing: number[] = [];
  const groups: number[][] = [];
  for (const [at, { role }] of messages.entries()) {
    if (role === 'system' || role === 'developer') standing.push(at);
    else if (role === 'user' || groups.length === 0) groups.push([at]);
    else groups.at(-1)?.push(at);
  }
  return {
    standing,
    turns: groups.map((group) => ({ messages: group, tokens: once(() => tokensOf(messages, group)) })),
  };
}

function tokensOf(messages: readonly ChatMessage[], indices: readonly number[]): number {
  return measureRequest({ messages: indices.flatMap((at) => messages[at] ?? []) }).exact();
}

function sumOf(turns: ReadonlySet<Turn>): number {
  return [...turns].reduce((sum, { tokens }) => sum + tokens(), 0);
}

function once(count: () => number): () => number {
  let counted: number | undefined;
  return () => (counted ??= count());
}

/** The turns that share a word with the question, best first; equal scores newest first. */
function byRelevance(turns: readonly Turn[], messages: readonly ChatMessage[], question: string): Turn[] {
  const texts = turns.map((turn) => turn.messages.map((at) => textOf(messages[at]?.content)).join('\n'));
  const matches = matchTexts(texts, question);
  return turns
    .flatMap((turn, at) => {
      const match = matches.get(at);
      return match ? [{ turn, ...match }] : [];
    })
    .sort((a, b) => b.bm25 - a.bm25)
    .map(({ turn }) => turn);
}
