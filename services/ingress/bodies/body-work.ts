import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { type EncodedDocument } from '../documents/decode.ts';
import { type InlineDocument } from '../documents/inline-document.ts';
import { type ResponseOriginal } from '../response-schema/original.ts';
import { type BodySchema, type RunBodyTask, runHere } from './body-tasks.ts';
import { countValues } from '../http/json-bounds.ts';
import { isLarge, LARGE_BYTES } from '../http/size.ts';

/**
 * Whatever the ingress does with the whole of a request's body. Small ones are worked on at once, which is faster than handing them
 * over; large ones by `run`.
 */
export interface BodyWork {
  /** Parses and validates. Throws `invalid_json`, `invalid_value` and its like, `overloaded`. `bytes` may be gone afterwards. */
  read(bytes: Buffer, schema: BodySchema): Promise<unknown>;
  /** JSON, as UTF-8. */
  serialise(value: object): Promise<Uint8Array>;
  /** SHA-256 of the JSON, in hex. */
  hash(value: unknown): Promise<string>;
  fingerprint(request: ChatRequest): Promise<string>;
  /** Throws as `decodeDocument` does. */
  decode(document: EncodedDocument): Promise<InlineDocument>;
  /** What is kept of a response's request; undefined for the original of something else. */
  readOriginal(json: string): Promise<ResponseOriginal | undefined>;
}

/** The work on the bodies of that user's requests. */
export type BodyWorkOf = (user: string) => BodyWork;

/** A body of more values than this goes to a thread, however few bytes they have. */
const MANY_VALUES = 10_000;

/** `run`: in threads; without it all is done here. */
export function createBodyWork(run: RunBodyTask = runHere): BodyWork {
  const byRun = (value: unknown): RunBodyTask => (isLarge(value) ? run : runHere);
  return {
    read: (bytes, schema) => {
      const large = bytes.length > LARGE_BYTES || countValues(bytes) > MANY_VALUES;
      return (large ? run : runHere)('read', { bytes, schema });
    },
    serialise: (value) => byRun(value)('serialise', value),
    hash: (value) => byRun(value)('hash', value),
    fingerprint: (request) => byRun(request)('fingerprint', request),
    decode: (document) => byRun(document)('decode', document),
    readOriginal: (json) => byRun(json)('readOriginal', json),
  };
}
