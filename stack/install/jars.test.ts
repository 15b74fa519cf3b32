import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LockedJar, parseJarLock, sha256Of, verifyJar } from './jar-lock.ts';
import { isThere } from './jars.ts';

const content = Buffer.from('a jar');
const jar: LockedJar = {
  path: 'org/example/example/1.0/example-1.0.jar',
  bytes: 5,
  sha256: sha256Of(content),
};

describe('the lock of the jars', () => {
  test('accepts the locked content, and refuses any other with an error that names the file and both hashes', () => {
    expect(() => verifyJar(jar, content)).not.toThrow();
    const other = Buffer.from('b jar');
    expect(() => verifyJar(jar, other)).toThrow(
      new RegExp(`example-1.0.jar.*${sha256Of(other)}.*${jar.sha256}`),
    );
  });

  test('is valid as committed, and contains Kafka 4.1', () => {
    const lock = parseJarLock(readFileSync(join(import.meta.dirname, 'kafka.lock.json'), 'utf8'));
    expect(
      lock.jars.filter(({ path }) => /^org\/apache\/kafka\/kafka_2\.13\/4\.1\./.test(path)),
    ).toHaveLength(1);
  });

  test.each([
    ['a short hash', { ...jar, sha256: 'abc' }, '64 hex digits'],
    ['a path that leaves the repository', { ...jar, path: '../../etc/passwd' }, 'path in a Maven repository'],
    ['an address', { ...jar, path: 'https://example.org/a.jar' }, 'path in a Maven repository'],
  ])('%s is refused', (_case, bad, message) => {
    expect(() => parseJarLock(JSON.stringify({ jars: [bad] }))).toThrow(message);
  });
});

describe('a jar in the cache', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'turnout-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('is verified each time, and refused if it was changed on disk', () => {
    expect(isThere(jar, folder)).toBe(false);
    writeFileSync(join(folder, 'example-1.0.jar'), content);
    expect(isThere(jar, folder)).toBe(true);
    writeFileSync(join(folder, 'example-1.0.jar'), 'something else');
    expect(() => isThere(jar, folder)).toThrow('not the file that was locked');
  });
});
