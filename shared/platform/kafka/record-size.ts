import { type OutboundMessage } from './port.ts';

/** The head of a record batch (format 2): what each batch has once. Bytes. */
export const BATCH_OVERHEAD_BYTES = 61;
/** Length, attributes, time, offset and the lengths of key and value: at most so many bytes of a record. */
const RECORD_OVERHEAD_BYTES = 31;
/** The lengths of a header's name and value. */
const HEADER_OVERHEAD_BYTES = 10;

/** Bytes of the message without anything around it: no record of it is smaller. */
export function contentBytes({ key, value, headers }: OutboundMessage): number {
  const texts = [key, value, ...Object.entries(headers).flat()];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

/** Bytes of the message's record in an uncompressed batch; the true size is up to some dozen bytes smaller. */
export function recordBytes(message: OutboundMessage): number {
  const headers = Object.keys(message.headers).length * HEADER_OVERHEAD_BYTES;
  return contentBytes(message) + RECORD_OVERHEAD_BYTES + headers;
}
