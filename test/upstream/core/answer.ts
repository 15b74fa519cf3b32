import type { Turn } from './conversation.ts';
import { bestSentences, questionIn, type Source } from './passages.ts';
import { generator, pick, seedOf } from './random.ts';
import { tokenise } from './tokens.ts';

/**
 * The whole answer is a pure function of the conversation (without a partial answer), the variant and the length asked
 * for; the model's name is no part of it, so that a fallback model can go on exactly where another stopped.
 * Variants begin with different words, so that a restarted answer is seen to differ at once.
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

/** Cuts a text to its first tokens, or goes on with filler until it has exactly as many. */
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

/** "What is my name?" is answered from the latest "my name is X" that the user said. */
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
  /** 0 is the answer; others begin differently (choices of `n`, a restart with a different answer). */
  variant: number;
  /** Exact length, or null for the natural one. */
  tokens: number | null;
}

const seeds = new WeakMap<readonly Turn[], number>();

/** Every character that was said makes the seed. It is asked for several times in one request, hence remembered. */
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

/** Thinking aloud about the question, in exactly as many tokens. */
export function composeReasoning(turns: readonly Turn[], tokens: number): string {
  if (tokens === 0) return '';
  const random = generator(conversationSeed(turns) ^ 0x5eed);
  return fit(`The question is "${questionOf(turns)}". Let me look at what I was given.`, tokens, random);
}
