import { countTokens as countExactly } from 'gpt-tokenizer/encoding/o200k_base';

/**
 * Token counts by o200k, the encoding of OpenAI's models since GPT-4o. Other providers' tokenizers differ by up to some
 * 20%, so a caller that fills a window leaves a margin.
 *
 * Importing this file loads the tokenizer: some 300 ms and 80 MB, once per process or thread.
 */

/** Longer texts are sampled: exact counting costs ~0.2 s per MB of prose on one core. */
const EXACT_LIMIT = 64 * 1024;
const SAMPLES = 16;

/**
 * The tokenizer's time grows with the square of the length of a run without a break (100,000 times `a`: 9 s), so it is
 * given at most this many characters at once.
 */
const PIECE = 512;

/** `<|endoftext|>` in a user's text is text, not an error. */
const PLAIN_TEXT = { disallowedSpecial: new Set<string>() };

/**
 * Tokens of a text. Exact up to cuts in runs that have no white space for 256 characters (each may add a token); above
 * 65,536 characters extrapolated from 16 samples spread evenly over the text. Bounded: ~15 ms for any prose, ~40 ms for
 * hostile text.
 */
export function countTokens(text: string): number {
  if (text.length <= EXACT_LIMIT) return countInPieces(text);
  const sample = Math.floor(EXACT_LIMIT / SAMPLES);
  const stride = (text.length - sample) / (SAMPLES - 1);
  let tokens = 0;
  for (let i = 0; i < SAMPLES; i += 1) {
    const start = Math.floor(i * stride);
    tokens += countInPieces(text.slice(start, start + sample));
  }
  return Math.ceil((tokens * text.length) / (sample * SAMPLES));
}

/** Never less than `countTokens`, at the price of a memory scan: each token stands for at least one byte of UTF-8. */
export function maxTokens(text: string): number {
  return Buffer.byteLength(text);
}

function countInPieces(text: string): number {
  let tokens = 0;
  for (let start = 0; start < text.length;) {
    const end = pieceEnd(text, start);
    tokens += countExactly(text.slice(start, end), PLAIN_TEXT);
    start = end;
  }
  return tokens;
}

/** Cuts before a space where there is one, as the tokenizer itself does: its words begin with their space. */
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
