import { expect, test } from '@jest/globals';
import { blobKeys, jobKeys } from '../../../shared/platform/redis/keys.ts';
import { countByKind, KEY_KINDS, leftovers } from './keys.ts';

const keys = jobKeys('p');
const job = `job_${'0'.repeat(32)}`;

test.each([
  ['job record', keys.record(job)],
  ['job log', keys.log(job)],
  ['open jobs', keys.open(job)],
  ['outbox', keys.outbox(job)],
  ['BullMQ node', `p:{bull}:llm:${job}`],
  ['BullMQ node', `p:{bull}:context:${job}-document-0`],
  ['BullMQ queue', 'p:{bull}:llm:events'],
  ['metrics', 'p:{metrics}:counts'],
  ['bills', 'p:{metrics}:usage:2026-11-30:user:abc'],
  ['rollout figures', 'p:{metrics}:window:495000'],
  ['open-job limiter', 'p:{gate}:pace'],
  ['access', 'p:{access}:used'],
  ['control', 'p:{control}:leader'],
  ['secrets of cache entries', 'p:{u-abc}:cache-generation'],
  ['steadiness', 'p:steady'],
  ['reader lease', keys.readerLease(keys.channel('abc'))],
  ['watermarks', keys.watermarks('p.jobs')],
  ['sweep lease', keys.sweepLease()],
  ['blob registry', blobKeys('p').registry()],
  ['blob registry', blobKeys('p').sweepLease()],
  ['planned removals', blobKeys('p').removals('jobs', job)],
  ['other', 'p:something'],
])('%s: %s', (kind, key) => {
  expect(countByKind([key.slice('p:'.length)])).toEqual({ [kind]: 1 });
});

test('keys of a single job are leftovers, keys of the system are not', () => {
  const counts = { 'job record': 1, 'BullMQ node': 2, outbox: 64, 'reader lease': 2, other: 1 };
  expect(leftovers(counts)).toEqual([
    '1 keys of kind "job record", not 0',
    '2 keys of kind "BullMQ node", not 0',
    '1 keys of kind "other", not 0',
  ]);
});

test('each kind says when its keys are removed', () => {
  for (const { goes } of KEY_KINDS) expect(goes).not.toBe('');
});
