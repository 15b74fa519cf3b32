import { countTokens as countExactly } from 'gpt-tokenizer/encoding/o200k_base';
import { type Random, secureRandom } from '../../platform/util/random.ts';
import { inSlices } from '../../platform/util/in-slices.ts';

/**
 * Token counts by o200k, the encoding of OpenAI's models since GPT-4o. Other providers' tokenizers differ by up to about 20%, so callers
 * that fill a context window must leave a margin.
 *
 * Importing this file loads the tokenizer: about 300 ms and 80 MB, once per process or thread.
 */

/**
 * The tokenizer's time grows quadratically with the length of a run without a break (100,000 times `a`: 9 s), so it gets at most this many
 * characters at once.
 */
const PIECE = 512;
/** A long text is estimated from this many pieces at random positions. */
const SAMPLES = 128;
/** Longest text that is counted exactly, in characters; samples of longer texts have as many. Exact counting takes ~0.2 s per MB of prose. */
const EXACT_LIMIT = PIECE * SAMPLES;
/** A sample begins and ends at a space if one is this near, since half a word would count as a whole one. Characters. */
const NEAR = 24;
/**
 * UTF-8 bytes. A sampled text counts as at least one token for each of these. Prose has 4 to 5 bytes per token, so neither chance nor a text
 * that is dense only in a few places can make the estimate less than about a quarter of the truth.
 */
const MOST_BYTES_PER_TOKEN = 16;

/** `<|endoftext|>` in a user's text counts as plain text and is not an error. */
const PLAIN_TEXT = { disallowedSpecial: new Set<string>() };

/** Tokens of one text; see `countAllTokens`. */
export function countTokens(text: string, random: Random = secureRandom): number {
  return countAllTokens([text], random);
}

/**
 * Tokens of several texts together. Exact up to 65,536 characters in total, except that each cut in a run without white space for 256
 * characters may add a token. Longer texts are extrapolated from 128 pieces at unpredictable positions, so no text can be crafted to look
 * shorter than it is, with at least one token for each 16 bytes. The time is bounded, however many and long the texts are: ~15 ms for prose
 * with spaces, ~300 ms for Chinese, plus a memory scan.
 */
export function countAllTokens(texts: readonly string[], random: Random = secureRandom): number {
  const { pieces, toAll } = planCount(texts, random);
  return toAll(countPieces(pieces));
}

/** About 20 ms of work for the most expensive text. Characters. */
const SLICE = 4_096;

/** `countAllTokens` without blocking the event loop: `turn` runs one slice of the work at a time. A single slice is counted at once. */
export async function countAllTokensInTurns(
  texts: readonly string[],
  turn: (slice: () => number) => Promise<number>,
  random: Random = secureRandom,
): Promise<number> {
  const { pieces, toAll } = planCount(texts, random);
  const [first = [], ...others] = inSlices(pieces, SLICE, ({ length }) => length);
  if (others.length === 0) return toAll(countPieces(first));
  let tokens = 0;
  for (const slice of [first, ...others]) tokens += await turn(() => countPieces(slice));
  return toAll(tokens);
}

/** The pieces for the tokenizer, and the conversion of their count into the total. */
interface CountPlan {
  pieces: string[];
  toAll: (tokens: number) => number;
}

function planCount(texts: readonly string[], random: Random): CountPlan {
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  if (length <= EXACT_LIMIT) return { pieces: texts.flatMap(piecesOf), toAll: (tokens) => tokens };
  const samples = samplesOf(texts, length, random);
  const sampled = samples.reduce((sum, sample) => sum + sample.length, 0);
  const least = Math.ceil(maxOfAll(texts) / MOST_BYTES_PER_TOKEN);
  return {
    pieces: samples.flatMap(piecesOf),
    toAll: (tokens) => Math.max(Math.ceil((tokens * length) / Math.max(1, sampled)), least),
  };
}

/** An upper bound of `countTokens`, for the cost of a memory scan: each token has at least one byte of UTF-8. */
export function maxTokens(text: string): number {
  return Buffer.byteLength(text);
}

function maxOfAll(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + maxTokens(text), 0);
}

/**
 * One sample begins at a random position in each of 128 equal stretches, and may extend into the next one (the last one wraps around to the
 * beginning). So each character is equally likely to be counted.
 */
function samplesOf(texts: readonly string[], length: number, random: Random): string[] {
  const stride = length / SAMPLES;
  const starts = Array.from({ length: SAMPLES }, (_, i) => Math.floor((i + random()) * stride));
  return [...slicesAt(texts, length, starts)];
}

/** Texts are counted separately, as they are sent; joined, many short texts would have fewer tokens. `starts` are ascending. */
function* slicesAt(texts: readonly string[], length: number, starts: readonly number[]): Generator<string> {
  let at = 0;
  let before = 0;
  for (const start of starts) {
    for (; at < texts.length && before + (texts[at]?.length ?? 0) <= start; at += 1)
      before += texts[at]?.length ?? 0;
    yield* slicesFrom(texts, { at, offset: start - before, characters: Math.min(PIECE, length) });
  }
}

function* slicesFrom(
  texts: readonly string[],
  { at, offset, characters }: { at: number; offset: number; characters: number },
): Generator<string> {
  let from = offset;
  let left = characters;
  for (let i = at; left > 0; i = (i + 1) % texts.length, from = 0) {
    const text = texts[i % texts.length] ?? '';
    const slice = text.slice(from, from + left);
    left -= slice.length;
    const whole = { begins: from === 0, ends: from + slice.length === text.length };
    if (slice.length > 0) yield trimmed(slice, whole);
  }
}

/** Searches for spaces only within the slice: a search in a long text could scan all of it. */
function trimmed(slice: string, { begins, ends }: { begins: boolean; ends: boolean }): string {
  const first = begins ? 0 : Math.max(0, slice.slice(0, NEAR).indexOf(' '));
  const last = ends ? -1 : slice.slice(-NEAR).lastIndexOf(' ');
  const to = last < 0 ? slice.length : Math.max(0, slice.length - NEAR) + last;
  const from = isLowSurrogate(slice.charCodeAt(first)) ? first + 1 : first;
  return slice.slice(from, isHighSurrogate(slice.charCodeAt(to - 1)) ? to - 1 : to);
}

function countPieces(pieces: readonly string[]): number {
  return pieces.reduce((sum, piece) => sum + countExactly(piece, PLAIN_TEXT), 0);
}

function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (let start = 0; start < text.length;) {
    const end = pieceEnd(text, start);
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}

/** Cuts before a space if there is one, like the tokenizer, whose words begin with their space. */
function pieceEnd(text: string, start: number): number {
  const limit = start + PIECE;
  if (limit >= text.length) return text.length;
  const space = text.lastIndexOf(' ', limit);
  if (space > start + PIECE / 2) return space;
  return isHighSurrogate(text.charCodeAt(limit - 1)) ? limit - 1 : limit;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
