import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

/**
 * Limits on the structure of any JSON body. They are checked before the text is parsed and before a schema validates it:
 * rejecting an oversized body costs one pass over its first bytes, and detailed validation works on bounded input.
 */

/** Deeper than any practical tool schema. `JSON.stringify` fails at some thousands of levels, providers' parsers at a few hundred. */
const MAX_DEPTH = 128;
/** Values of all kinds in one body. 10,000 messages with one text and one image each have 110,000. */
export const MAX_VALUES = 150_000;
/** Elements of one array, or members of one object. */
const MAX_MEMBERS = 10_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);
const BACKSLASH = 0x5c;

/**
 * Counts JSON values: each one follows a comma or an opening bracket, so the count may be slightly too high, never too low. Stops
 * at the first value beyond `MAX_VALUES` or `MAX_DEPTH` and throws `invalid_value`. The text need not be valid JSON.
 */
export function countValues(json: Buffer): number {
  let values = 1;
  let depth = 0;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at] ?? 0;
    if (byte === QUOTE) at = endOfString(json, at);
    else if (byte === COMMA) values += 1;
    else if (OPEN.has(byte)) {
      values += 1;
      depth += 1;
      if (depth > MAX_DEPTH) throw tooDeep();
    } else if (CLOSE.has(byte)) depth -= 1;
    if (values > MAX_VALUES) throw tooManyValues();
  }
  return values;
}

/** The index of the closing quote of the string that starts at `start`, or the length of the text if the string is unterminated. */
function endOfString(json: Buffer, start: number): number {
  for (let end = json.indexOf(QUOTE, start + 1); end !== -1; end = json.indexOf(QUOTE, end + 1)) {
    let backslashes = 0;
    while (json[end - 1 - backslashes] === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return json.length;
}

/** Throws `invalid_value` that names the first array or object with too many members, or says that the value is nested too deeply. */
export function checkMembers(value: unknown): void {
  const path = firstExcess(value, MAX_DEPTH);
  if (path) throw tooManyMembers(path);
}

/** The path to the first array or object with too many members; undefined if there is none. */
function firstExcess(value: unknown, levels: number): PropertyKey[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (levels === 0) throw tooDeep();
  const members = Object.entries(value);
  if (members.length > MAX_MEMBERS) return [];
  for (const [name, member] of members) {
    const path = firstExcess(member, levels - 1);
    if (path) return [Array.isArray(value) ? Number(name) : name, ...path];
  }
  return undefined;
}

/** At most this many characters of a client-supplied name are quoted in an error. */
const MAX_NAME = 100;

/** `messages[0].content` */
export function paramPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    const name = String(key).slice(0, MAX_NAME);
    return text === '' ? name : `${text}.${name}`;
  }, '');
}

function tooDeep(): TurnoutError {
  return new TurnoutError('invalid_value', {
    message: `The request body is nested more than ${MAX_DEPTH} levels deep. Flatten it and try again.`,
  });
}

function tooManyValues(): TurnoutError {
  return new TurnoutError('invalid_value', {
    message: `The request body has more than ${MAX_VALUES} values. Split it into smaller requests.`,
  });
}

function tooManyMembers(path: readonly PropertyKey[]): TurnoutError {
  const param = paramPath(path);
  return new TurnoutError('invalid_value', {
    message: `${param === '' ? 'The request body' : `'${param}'`} is not valid: it has more than ${MAX_MEMBERS} members.`,
    param: param || undefined,
  });
}
