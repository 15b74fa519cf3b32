import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

/**
 * What any JSON body may be made of, whatever it says. Counted before anything is built of the text, and before a schema
 * looks at it: what is far out of bounds costs one pass over its first bytes, and the detailed validation is bounded by these.
 */

/** Far deeper than any schema of a tool. `JSON.stringify` fails at some thousands, and providers' parsers at a few hundred. */
const MAX_DEPTH = 128;
/** Values of all kinds in one body. 10,000 messages of a text and an image each have 110,000. */
export const MAX_VALUES = 150_000;
/** Elements of one array, or members of one object. */
const MAX_MEMBERS = 10_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);
const BACKSLASH = 0x5c;

/**
 * At most as many values as the JSON text has: each follows a comma or an opening bracket. Stops with `invalid_value` at the
 * first one that is too many, or too deep. The text need not be valid JSON.
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

/** Where the string that begins at `start` ends; the end of the text for one that does not. */
function endOfString(json: Buffer, start: number): number {
  for (let end = json.indexOf(QUOTE, start + 1); end !== -1; end = json.indexOf(QUOTE, end + 1)) {
    let backslashes = 0;
    while (json[end - 1 - backslashes] === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return json.length;
}

/** Throws `invalid_value` that names the first array or object with too many members, or what is nested too deep. */
export function checkMembers(value: unknown): void {
  const path = firstExcess(value, MAX_DEPTH);
  if (path) throw tooManyMembers(path);
}

/** The way to it; undefined where there is none. */
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

/** At most this many characters of a client's own name are repeated in an error. */
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
    message: `The request body is nested more than ${MAX_DEPTH} levels deep.`,
  });
}

function tooManyValues(): TurnoutError {
  return new TurnoutError('invalid_value', {
    message: `The request body has more than ${MAX_VALUES} values.`,
  });
}

function tooManyMembers(path: readonly PropertyKey[]): TurnoutError {
  const param = paramPath(path);
  return new TurnoutError('invalid_value', {
    message: `${param === '' ? 'The request body' : `'${param}'`} is not valid: has more than ${MAX_MEMBERS} members.`,
    param: param || undefined,
  });
}
