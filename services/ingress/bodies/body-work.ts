import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { type EncodedDocument } from '../documents/decode.ts';
import { type InlineDocument } from '../documents/inline-document.ts';
import { type ResponseOriginal } from '../response-schema/original.ts';
import { type BodySchema, type RunBodyTask, runHere } from './body-tasks.ts';
import { countValues } from '../http/json-bounds.ts';
import { isLarge, LARGE_BYTES } from '../http/size.ts';

/**
 * All work on whole request bodies. Small bodies are handled in the current thread, because handing them over costs more than it
 * saves; large ones are handed to `run`.
 */
export interface BodyWork {
  /** Parses and validates. Throws `invalid_json`, the errors of `validate`, or `overloaded`. `bytes` may be unusable afterwards. */
  read(bytes: Buffer, schema: BodySchema): Promise<unknown>;
  /** JSON encoded as UTF-8. */
  serialise(value: object): Promise<Uint8Array>;
  /** SHA-256 of the JSON, in hex. */
  hash(value: unknown): Promise<string>;
  fingerprint(request: ChatRequest): Promise<string>;
  /** Throws what `decodeDocument` throws. */
  decode(document: EncodedDocument): Promise<InlineDocument>;
  /** Parses the stored original of a response request. Undefined if the original is of another kind. */
  readOriginal(json: string): Promise<ResponseOriginal | undefined>;
}

/** Returns the body work for a user's requests. */
export type BodyWorkOf = (user: string) => BodyWork;

/** A body with more values than this goes to a thread, even if it is small in bytes. */
const MANY_VALUES = 10_000;

/** `run` runs tasks in worker threads. Without it, everything runs in the current thread. */
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
