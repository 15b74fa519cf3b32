import { createHash } from 'node:crypto';
import { requestFingerprint } from '../../../shared/content/answers/fingerprint.ts';
import { type ChatRequest, chatRequest } from '../../../shared/contracts/chat-request.ts';
import { type EncodedDocument } from '../documents/decode.ts';
import { decodeInline, type InlineDocument } from '../documents/inline-document.ts';
import { readOriginal, type ResponseOriginal } from '../response-schema/original.ts';
import { responseRequest } from '../response-schema/request.ts';
import { readBody } from './read-body.ts';

/** The schemas of the bodies that may be large. */
export const bodySchemas = { chat: chatRequest, response: responseRequest } as const;
export type BodySchema = keyof typeof bodySchemas;

/**
 * The work on a request body whose duration grows with the size of the body. All are pure functions of cloneable values, so they
 * can run in this thread or in a worker thread. They throw only `TurnoutError`; any other error is a bug.
 */
export const bodyTasks = {
  read: ({ bytes, schema }: { bytes: Uint8Array; schema: BodySchema }): unknown =>
    readBody(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), bodySchemas[schema]),
  /** JSON as UTF-8. */
  serialise: (value: object): Uint8Array => new TextEncoder().encode(JSON.stringify(value)),
  /** SHA-256 of the JSON, in hex. */
  hash: (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex'),
  fingerprint: (request: ChatRequest): string => requestFingerprint(request),
  decode: (document: EncodedDocument): InlineDocument => decodeInline(document),
  readOriginal: (json: string): ResponseOriginal | undefined => readOriginal(json),
};
export type BodyTasks = typeof bodyTasks;

export type RunBodyTask = <Name extends keyof BodyTasks>(
  name: Name,
  input: Parameters<BodyTasks[Name]>[0],
) => Promise<ReturnType<BodyTasks[Name]>>;

/** Runs a task in the current thread. */
export const runHere: RunBodyTask = (name, input) => {
  const task = bodyTasks[name] as (asked: typeof input) => ReturnType<BodyTasks[typeof name]>;
  return new Promise((resolve) => resolve(task(input)));
};
