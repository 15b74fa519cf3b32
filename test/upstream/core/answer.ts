import type { Turn } from './conversation.ts';
import { bestSentences, questionIn, type Source } from './passages.ts';
import { generator, pick, seedOf } from './random.ts';
import { tokenise } from './tokens.ts';

/**
 * The whole answer is a pure function of the conversation (without the partial answer), the variant and the requested length. The model's
 * name is not an input, so a fallback model can continue exactly where another model stopped. Variants begin with different words, so
 * that a restarted answer is recognisably different from its start.
 */
const QUOTE_LEADS = [
  'According to the context: ',
  'The text says: ',
  'From what was given: ',
  'Here it stands: ',
] as const;
const PLAIN_LEADS = ['You asked: ', 'My answer to this: ', 'On this question: ', 'About this: '] as const;
const RECALL_LEADS = ['Your ', 'As you told me, your ', 'I remember: your ', 'From before: your '] as const;
const TOOL_LEADS = ['The tool ', 'Having called it, ', 'As looked up, ', 'It is known now: '] as const;

const FILLER = [
  'A turnout guides the train from one track to another without stopping the line.',
  'The signal stays green while the points are locked.',
  'Each section of track is released only after the last axle has left it.',
  'A timetable is a promise that somebody has to keep.',
  'The dispatcher moves a few trains first and watches the board before sending the rest.',
  'When a locomotive fails, another one takes the carriages on from where they stand.',
  'What was written in the log is never rewritten.',
  'Passengers notice the delay, not the cause of it.',
  'The brakes are tried before every departure.',
  'A good junction is one that nobody remembers passing.',
  'The heavier the train, the earlier its driver looks ahead.',
  'Switches are heated in winter so that they move when they must.',
] as const;

const LONGEST_QUOTE = 600;

/** Cuts a text to its first `tokens` tokens, or appends filler until it has exactly that many. */
function fit(text: string, tokens: number, random: () => number): string {
  const parts = tokenise(text);
  while (parts.length < tokens) parts.push(...tokenise(` ${pick(FILLER, random() * FILLER.length)}`));
  return parts.slice(0, tokens).join('');
}

function toolAnswer(turns: readonly Turn[], lead: number): string | null {
  const last = turns.at(-1);
  if (last?.role !== 'tool') return null;
  const call = turns.flatMap((turn) => turn.toolCalls).find(({ id }) => id === last.toolCallId);
  return `${pick(TOOL_LEADS, lead)}${call?.name ?? 'call'} returned: ${last.text}`;
}

const RECALL = /\bwhat(?:'s|\s+is|\s+was)\s+my\s+([\p{L}\p{N} ]{1,40}?)\s*\?/iu;

/** Answers "What is my name?" with the user's latest "my name is X". */
function recalled(turns: readonly Turn[], question: string, lead: number): string | null {
  const what = RECALL.exec(question)?.[1];
  if (what === undefined) return null;
  const said = new RegExp(`\\bmy\\s+${what}\\s+(?:is|was)\\s+([^.,;!?\\n]+)`, 'iu');
  const value = turns
    .filter(({ role }) => role === 'user')
    .map(({ text }) => said.exec(text)?.[1])
    .findLast((found) => found !== undefined);
  return value === undefined ? null : `${pick(RECALL_LEADS, lead)}${what} is ${value.trim()}.`;
}

function quoted(turns: readonly Turn[], question: string, lead: number): string | null {
  const sources = turns.map(({ text, role }): Source => ({ text, weight: role === 'assistant' ? 0.5 : 1 }));
  const found = bestSentences(question, sources).map(
    (sentence) => `"${sentence.slice(0, LONGEST_QUOTE).toWellFormed()}"`,
  );
  return found.length === 0 ? null : `${pick(QUOTE_LEADS, lead)}${found.join(' ')}`;
}

function plain(question: string, lead: number, random: () => number): string {
  const first = Math.floor(random() * FILLER.length);
  const step = 1 + Math.floor(random() * (FILLER.length - 1));
  return `${pick(PLAIN_LEADS, lead)}"${question}" ${pick(FILLER, first)} ${pick(FILLER, first + step)}`;
}

export interface AnswerOptions {
  /** 0 is the default answer; other variants begin differently (further choices of `n`, or a restart with another answer). */
  variant: number;
  /** Exact length in tokens, or null for the natural length. */
  tokens: number | null;
}

const seeds = new WeakMap<readonly Turn[], number>();

/** The seed depends on every character of the conversation. It is needed several times per request, hence the memo. */
export function conversationSeed(turns: readonly Turn[]): number {
  const known = seeds.get(turns);
  if (known !== undefined) return known;
  const seed = seedOf(...turns.flatMap(({ role, text }) => [role, text]));
  seeds.set(turns, seed);
  return seed;
}

export const questionOf = (turns: readonly Turn[]): string =>
  questionIn(turns.findLast(({ role }) => role === 'user')?.text ?? '');

export function composeAnswer(turns: readonly Turn[], { variant, tokens }: AnswerOptions): string {
  const seed = conversationSeed(turns);
  const lead = (seed % 4) + variant;
  const random = generator(seed + variant);
  const question = questionOf(turns);
  const text =
    toolAnswer(turns, lead) ??
    recalled(turns, question, lead) ??
    quoted(turns, question, lead) ??
    plain(question, lead, random);
  return tokens === null ? text : fit(text, tokens, random);
}

/** Reasoning text about the question, with exactly `tokens` tokens. */
export function composeReasoning(turns: readonly Turn[], tokens: number): string {
  if (tokens === 0) return '';
  const random = generator(conversationSeed(turns) ^ 0x5eed);
  return fit(`The question is "${questionOf(turns)}". Let me look at what I was given.`, tokens, random);
}
