import { blobRef } from '../../shared/platform/blobs/blob-ref.ts';
import { type StoredLetter } from '../../shared/jobs/dead-letters.ts';
import { inColumns, toJsonLine } from '../output.ts';
import { oneLine, terminalSafe } from '../terminal-safe.ts';

/** A dead letter in `list`: without its payload, which may be large. */
export interface ListedLetter {
  id: string;
  /** ISO 8601. */
  at: string;
  reason: string;
  /** The id that the message claims, usually a job id. Null if it claims none. */
  originalId: string | null;
  /** Size of the payload in UTF-8. */
  bytes: number;
  /** When it was replayed, in ISO 8601. */
  replayedAt: string | null;
}

export function toListed(letter: StoredLetter): ListedLetter {
  const { origin, at, reason, originalId, value } = letter;
  return {
    id: origin,
    at: new Date(at).toISOString(),
    reason,
    originalId: originalId === '' ? null : originalId,
    bytes: Buffer.byteLength(value),
    replayedAt: null,
  };
}

const HEADINGS = ['ID', 'WHEN', 'BYTES', 'ORIGINAL ID', 'REPLAYED', 'REASON'];

/** One line for each dead letter, in columns. The reason comes last because it may be long. */
export function renderList(letters: readonly ListedLetter[]): string[] {
  const rows = letters.map(({ id, at, bytes, originalId, replayedAt, reason }) =>
    [id, at, String(bytes), originalId ?? '-', replayedAt === null ? '-' : 'yes', reason].map(oneLine),
  );
  return inColumns([HEADINGS, ...rows]);
}

/** One dead letter in full, as text. */
export function renderLetter(letter: StoredLetter, replayedAt: string | null): string {
  const { origin, at, reason, originalId, key, value, headers, own } = letter;
  const fields: [string, string][] = [
    ['id', origin],
    ['when', new Date(at).toISOString()],
    ['original id', originalId === '' ? '-' : originalId],
    ['key', key],
    ['replayed', replayedAt ?? 'no'],
    ['reason', reason],
  ];
  return [
    ...fields.map(([name, text]) => `${name.padEnd(12)} ${indented(text)}`),
    ...section('headers of the message', headers),
    ...section('headers of the dead letter', own),
    `payload (${Buffer.byteLength(value)} bytes)`,
    ...(refersToBlob(value) ? [BLOB_NOTE] : []),
    terminalSafe(pretty(value)),
  ].join('\n');
}

const BLOB_NOTE = `(The request was too large for the message: it is in the blob store, under the name below. It is removed after the job's record
expires, at the earliest one day after it arrived. This dead letter is kept longer.)`;

function refersToBlob(payload: string): boolean {
  let found = false;
  readJson(payload, (value) => {
    found ||= blobRef.safeParse(value).success;
  });
  return found;
}

/** One dead letter as JSON. The payload is its exact original text. */
export function letterToJson(letter: StoredLetter, replayedAt: string | null): string {
  const { key, headers, own, value } = letter;
  return toJsonLine({ ...toListed(letter), replayedAt, key, headers, ownHeaders: own, payload: value });
}

function section(title: string, headers: Readonly<Record<string, string>>): string[] {
  const lines = Object.entries(headers).map(([name, value]) => `  ${oneLine(name)}: ${oneLine(value)}`);
  return [title, ...(lines.length === 0 ? ['  (none)'] : lines)];
}

function indented(text: string): string {
  return terminalSafe(text).replaceAll('\n', `\n${' '.repeat(13)}`);
}

function pretty(text: string): string {
  const json = readJson(text);
  return json === undefined ? text : JSON.stringify(json, undefined, 2);
}

/** Undefined if the text is not JSON. Calls `visit` with every value in it. */
function readJson(text: string, visit: (value: unknown) => void = () => undefined): unknown {
  try {
    return JSON.parse(text, (_key, value: unknown) => {
      visit(value);
      return value;
    });
  } catch {
    return undefined;
  }
}
