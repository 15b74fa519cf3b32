import { type ChatMessage, textOf } from '../../../shared/contracts/chat-request.ts';
import { matchTexts } from '../documents/rank-passages.ts';
import { measureRequest } from '../../../shared/content/models/measure-request.ts';

export interface HistoryInput {
  messages: readonly ChatMessage[];
  /** What older turns are chosen for. */
  question: string;
  budgetTokens: number;
}

export interface ChosenHistory {
  /** Indices of the messages that stay, ascending. */
  keep: number[];
  /** How many messages do not. */
  leftOut: number;
}

/** A question with everything that was said and done for it: calls of tools stay with their results. */
interface Turn {
  /** Indices of its messages. */
  messages: number[];
  /** Counted when it is asked for: of a long thread, most turns are not. */
  tokens: () => number;
}

/** Of the budget, what the newest turns get before older ones are looked at. */
const RECENT_SHARE = 0.5;
/** A turn that does not fit may be followed by a smaller one that does; after so many the rest is left. */
const MAX_MISSES = 8;

/**
 * What of a long thread goes to the model: system and developer messages and the last turn in any case, whole; then the newest
 * turns, in one piece, up to half of the budget; then of the older ones those that fit the question best (BM25+), as they fit;
 * then, with what is left, the newest again. No turn is cut. The last turn alone may exceed the budget: whoever puts the prompt
 * together tells the client so.
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

/** The turns that share a word with the question, best first; equal ones newest first. */
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
