import { expect, test } from '@jest/globals';
import { parseJavaVersion, parseRedisVersion } from './programs.ts';
import { countPackages } from './python.ts';

test.each([
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['openjdk version "25" 2025-09-16', 25],
  ['java version "1.8.0_402"', 8],
  ['java: command not found', undefined],
])('the Java release of %j is %j', (text, release) => expect(parseJavaVersion(text)).toBe(release));

test.each([
  [
    'Redis server v=7.2.4 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64',
    { product: 'redis', version: '7.2.4' },
  ],
  ['Valkey server v=9.1.2 sha=00000000:0 malloc=libc bits=64', { product: 'valkey', version: '9.1.2' }],
  ['something else', undefined],
])('the Redis build of %j is %j', (text, build) => expect(parseRedisVersion(text)).toEqual(build));

test('packages are counted, not their hashes or comments', () => {
  expect(
    countPackages(['# made by hand\none==1 \\\n    --hash=sha256:00\n    # via two\n', 'two==2\n']),
  ).toBe(2);
});
