import { type OutboundMessage } from './port.ts';

/** Header of a record batch (format 2), once per batch. Bytes. */
export const BATCH_OVERHEAD_BYTES = 61;
/** Upper bound for a record's length, attributes, time, offset and the lengths of its key and value. Bytes. */
const RECORD_OVERHEAD_BYTES = 31;
/** Upper bound for the lengths of a header's name and value. Bytes. */
const HEADER_OVERHEAD_BYTES = 10;

/** Bytes of key, value and headers: a lower bound for the size of the record. */
export function contentBytes({ key, value, headers }: OutboundMessage): number {
  const texts = [key, value, ...Object.entries(headers).flat()];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

/** Upper bound for the record's bytes in an uncompressed batch; the true size is up to a few dozen bytes smaller. */
export function recordBytes(message: OutboundMessage): number {
  const headers = Object.keys(message.headers).length * HEADER_OVERHEAD_BYTES;
  return contentBytes(message) + RECORD_OVERHEAD_BYTES + headers;
}
