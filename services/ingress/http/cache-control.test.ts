import { expect, test } from '@jest/globals';
import { readCacheControl } from './cache-control.ts';

test.each([
  [undefined, {}],
  ['', {}],
  ['no-cache', { noCache: true }],
  ['No-Store', { noStore: true }],
  ['max-age=60', { maxAgeMs: 60_000 }],
  ['max-age="0"', { maxAgeMs: 0 }],
  [' no-cache , no-store,max-age=1', { noCache: true, noStore: true, maxAgeMs: 1_000 }],
  ['only-if-cached, min-fresh=5, x=","', {}],
])('%j is read as %j', (header, said) => {
  expect(readCacheControl(header)).toEqual({ noCache: false, noStore: false, maxAgeMs: undefined, ...said });
});

test.each(['max-age', 'max-age=', 'max-age=-1', 'max-age=1.5', 'max-age=soon', 'max-age=99999999999'])(
  '%j throws invalid_value',
  (header) => {
    expect(() => readCacheControl(header)).toThrow(
      expect.objectContaining({ code: 'invalid_value', param: 'Cache-Control' }),
    );
  },
);
