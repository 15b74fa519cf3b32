import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { createResults } from './results.ts';

const folder = mkdtempSync(join(tmpdir(), 'faults-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const size = { seed: 1, jobs: 10, faultsOfEachKind: 2 };
const result = { rounds: [], leftovers: ['a job is open'], seconds: 3 };

test('an interrupted run finds the kinds it has finished, but none of another commit, seed or size', () => {
  const results = createResults(size, { commit: 'a', folder });
  expect(results.find('kill Redis')).toBeUndefined();
  expect(results.keep('kill Redis', result)).toBe(result);
  expect(createResults(size, { commit: 'a', folder }).find('kill Redis')).toEqual(result);
  expect(results.find('kill Kafka')).toBeUndefined();
  expect(createResults(size, { commit: 'b', folder }).find('kill Redis')).toBeUndefined();
  expect(createResults({ ...size, seed: 2 }, { commit: 'a', folder }).find('kill Redis')).toBeUndefined();
  expect(createResults({ ...size, jobs: 11 }, { commit: 'a', folder }).find('kill Redis')).toBeUndefined();
  results.clear();
  expect(results.find('kill Redis')).toBeUndefined();
});
