/** The smallest part of a passage: a heading, a sentence or a line. Consecutive units leave no gap. */
export interface Unit {
  start: number;
  end: number;
  /** Estimated tokens, times 4. */
  weight: number;
  /** `paragraph`: the first sentence of a paragraph. */
  kind: 'heading' | 'paragraph' | 'sentence';
}

/** A sentence of this weight (~200 tokens) ends at the next white space; a run without white space ends at ~250 tokens. */
const SOFT_LIMIT = 800;
const HARD_LIMIT = 1_000;

const NEWLINE = 0x0a;
const HASH = 0x23;
const TERMINATORS = codes('.!?…');
/** Terminators that need no white space after them. */
const WIDE_TERMINATORS = codes('。！？');
const CLOSERS = codes(`"'’”»)]}」』）`);

/**
 * The units of a text, in order. It makes one pass without regular expressions, so even hostile input takes only linear time. It is a
 * generator, so 20 MB of empty lines do not become millions of objects at once.
 */
export function* scanUnits(text: string): Generator<Unit, void> {
  let start = 0;
  let kind: Unit['kind'] = text.charCodeAt(0) === HASH ? 'heading' : 'paragraph';
  while (start < text.length) {
    const body = sentenceEnd(text, start);
    const { end, newlines } = trailingSpace(text, body.end, body.weight);
    yield { start, end, weight: body.weight + (end - body.end), kind };
    kind = nextKind(text, end, newlines);
    start = end;
  }
}

function nextKind(text: string, at: number, newlines: number): Unit['kind'] {
  if (newlines > 0 && isHeading(text, at)) return 'heading';
  return newlines > 1 ? 'paragraph' : 'sentence';
}

/** Markdown's `#` to `######` and a space. */
function isHeading(text: string, at: number): boolean {
  let hashes = 0;
  while (hashes < 7 && text.charCodeAt(at + hashes) === HASH) hashes += 1;
  return hashes > 0 && hashes < 7 && isSpace(text.charCodeAt(at + hashes));
}

/** The end of the sentence or line that begins at `start`, without the white space after it. */
function sentenceEnd(text: string, start: number): { end: number; weight: number } {
  let weight = 0;
  let ended = false;
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (isSpace(code)) {
      if (code === NEWLINE || ended || weight >= SOFT_LIMIT) return { end: at, weight };
    } else if (WIDE_TERMINATORS.has(code)) return { end: at + 1, weight: weight + weightOf(code) };
    else ended = TERMINATORS.has(code) || (ended && CLOSERS.has(code));
    weight += weightOf(code);
    if (weight >= HARD_LIMIT && !isHighSurrogate(code)) return { end: at + 1, weight };
  }
  return { end: text.length, weight };
}

/** White space belongs to the sentence before it, except that a line's indentation belongs to its line. */
function trailingSpace(text: string, from: number, weight: number): { end: number; newlines: number } {
  let newlines = 0;
  let lineStart = from;
  let at = from;
  for (; isSpace(text.charCodeAt(at)) && weight + (at - from) < HARD_LIMIT; at += 1) {
    if (text.charCodeAt(at) !== NEWLINE) continue;
    newlines += 1;
    lineStart = at + 1;
  }
  return { end: newlines > 0 && at < text.length ? lineStart : at, newlines };
}

/** o200k needs about 1/4 token per character of English, 1/2 for other alphabets and 1 for Chinese or Japanese. */
function weightOf(code: number): number {
  if (code < 0x80) return 1;
  return code < 0x2e80 ? 2 : 4;
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d) || code === 0xa0 || code === 0x3000;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function codes(characters: string): ReadonlySet<number> {
  return new Set(Array.from(characters, (character) => character.charCodeAt(0)));
}
