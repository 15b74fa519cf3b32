import { expect, test } from '@jest/globals';
import { silentLogger } from '../log/logger.ts';
import { createReleasers } from './releasers.ts';

test('resources are released one after another, the last acquired first', async () => {
  const releasers = createReleasers(silentLogger);
  const released: string[] = [];
  const slowly = (name: string) => async () => {
    await new Promise((resolve) => setImmediate(resolve));
    released.push(name);
  };
  releasers.defer('first', slowly('first'));
  releasers.defer('second', () => released.push('second'));
  releasers.defer('third', slowly('third'));
  await releasers.close();
  expect(released).toEqual(['third', 'second', 'first']);
});

test('two close calls release once, and both wait for it', async () => {
  const releasers = createReleasers(silentLogger);
  const blocked = Promise.withResolvers<undefined>();
  let releases = 0;
  releasers.defer('slow', () => {
    releases += 1;
    return blocked.promise;
  });
  expect(releasers.closing()).toBe(false);
  const closing = [releasers.close(), releasers.close()];
  expect(releasers.closing()).toBe(true);
  blocked.resolve(undefined);
  await Promise.all(closing);
  expect(releases).toBe(1);
});

test('a failing release does not prevent the others, and is reported at the end', async () => {
  const releasers = createReleasers(silentLogger);
  const released: string[] = [];
  releasers.defer('first', () => released.push('first'));
  releasers.defer('rejects', () => Promise.reject(new Error('rejected')));
  releasers.defer('throws', () => {
    throw new Error('thrown');
  });
  const failure: unknown = await releasers.close().catch((error: unknown) => error);
  expect(released).toEqual(['first']);
  expect(failure).toBeInstanceOf(AggregateError);
  expect((failure as AggregateError).errors.map(String)).toEqual(['Error: thrown', 'Error: rejected']);
});

test('resources acquired during or after close are released as well', async () => {
  const releasers = createReleasers(silentLogger);
  const released: string[] = [];
  releasers.defer('early', () => {
    releasers.defer('meanwhile', () => released.push('meanwhile'));
    released.push('early');
  });
  await releasers.close();
  expect(released).toEqual(['early', 'meanwhile']);
  releasers.defer('late', () => released.push('late'));
  await releasers.close();
  expect(released).toEqual(['early', 'meanwhile', 'late']);
});
