import { crc32 } from 'node:zlib';

/**
 * One message of the AWS event stream encoding (`application/vnd.amazon.eventstream`): total length, length of the headers, CRC-32 of
 * these two, headers, payload, CRC-32 of everything before it. Numbers are big-endian. Source: AWS, "Event stream encoding" in Amazon
 * Transcribe's guide, and smithy's test vectors.
 */
export function encodeMessage(headers: Readonly<Record<string, string>>, payload: string): Buffer {
  const head = Buffer.concat(Object.entries(headers).map(([name, value]) => encodeHeader(name, value)));
  const body = Buffer.from(payload);
  const message = Buffer.alloc(OVERHEAD_BYTES + head.length + body.length);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(head.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  head.copy(message, PRELUDE_BYTES);
  body.copy(message, PRELUDE_BYTES + head.length);
  const end = message.length - CRC_BYTES;
  message.writeUInt32BE(crc32(message.subarray(0, end)), end);
  return message;
}

const CRC_BYTES = 4;
const PRELUDE_BYTES = 12;
const OVERHEAD_BYTES = PRELUDE_BYTES + CRC_BYTES;
const TYPE_STRING = 7;

function encodeHeader(name: string, value: string): Buffer {
  const [key, text] = [Buffer.from(name), Buffer.from(value)];
  const length = Buffer.alloc(2);
  length.writeUInt16BE(text.length);
  return Buffer.concat([Buffer.of(key.length), key, Buffer.of(TYPE_STRING), length, text]);
}

/** Bytes, as a `latin1` string. */
export function eventMessage(type: string, body: object): string {
  const headers = { ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' };
  return encodeMessage(headers, JSON.stringify(body)).toString('latin1');
}

/** Bytes, as a `latin1` string. */
export function exceptionMessage(type: string, message: string): string {
  const headers = {
    ':exception-type': type,
    ':content-type': 'application/json',
    ':message-type': 'exception',
  };
  return encodeMessage(headers, JSON.stringify({ message })).toString('latin1');
}
