import { BoundedMap } from './bounded-map.ts';

/**
 * One token is at most twelve non-space code points together with the white space before them. White space at the end of the text is a
 * token too. Joining the tokens yields the text, and no code point is ever split.
 */
const TOKEN = /\s*\S{1,12}|\s+/gu;

/** Only long texts (documents, system prompts) are cached, and none so long that the cache becomes large. */
const CACHED_LENGTH = { min: 256, max: 200_000 };
const counts = new BoundedMap<string, number>(64);

export function tokenise(text: string): string[] {
  return text.match(TOKEN) ?? [];
}

export function countTokens(text: string): number {
  if (text.length < CACHED_LENGTH.min || text.length > CACHED_LENGTH.max) return tokenise(text).length;
  const known = counts.get(text);
  if (known !== undefined) return known;
  const count = tokenise(text).length;
  counts.set(text, count);
  return count;
}
