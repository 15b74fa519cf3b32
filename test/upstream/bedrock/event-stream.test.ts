import { expect, test } from '@jest/globals';
import { encodeMessage } from './event-stream.ts';

/** Test vectors of smithy's event stream codec. */
test.each([
  ['nothing', {}, '', '000000100000000005c248eb7d98c8ff'],
  ['a payload', {}, "{'foo':'bar'}", '0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936'],
])('%s is encoded exactly', (_what, headers, payload, bytes) => {
  expect(encodeMessage(headers, payload).toString('hex')).toBe(bytes);
});

test('a header consists of its name, the type code of a string, and its value', () => {
  const message = encodeMessage({ ':event-type': 'x' }, '');
  expect(message.readUInt32BE(0)).toBe(message.length);
  expect(message.readUInt32BE(4)).toBe(16);
  expect(message.subarray(12, 28)).toEqual(
    Buffer.concat([Buffer.of(11), Buffer.from(':event-type'), Buffer.of(7, 0, 1), Buffer.from('x')]),
  );
});
