import { describe, expect, test } from '@jest/globals';
import { newFileId, newJobId } from '../ids.ts';
import { fileKeys, jobKeys } from './keys.ts';

const keys = jobKeys('turnout');

function tagOf(key: string): string {
  return /\{([^{}]+)\}/.exec(key)?.[1] ?? '';
}

describe("a job's keys", () => {
  const jobId = `job_${'0'.repeat(30)}c5`;

  test('share one hash tag, so that a script may use them all', () => {
    const all = [keys.record(jobId), keys.log(jobId), keys.open(jobId), keys.outbox(jobId)];
    expect(all).toEqual([
      `turnout:{b05}:job:${jobId}`,
      `turnout:{b05}:log:${jobId}`,
      'turnout:{b05}:open',
      'turnout:{b05}:outbox',
    ]);
    expect(new Set(all.map(tagOf))).toEqual(new Set(['b05']));
  });

  test('differ from those of other jobs and prefixes', () => {
    const other = `job_${'1'.repeat(30)}c5`;
    expect(keys.record(other)).not.toBe(keys.record(jobId));
    expect(jobKeys('other').record(jobId)).not.toBe(keys.record(jobId));
  });
});

describe("a user's files", () => {
  const files = fileKeys('turnout');
  const users = ['user-1', 'a{b}:c', 'Weiche 道岔'];

  test.each(users)('of %j share one hash tag with the user’s lists, and no key with other users', (user) => {
    const ids = [1, 2].map((now) => newFileId(user, now));
    const all = [...ids.map((id) => files.record(id)), files.ofUser(user), files.expiring(user)];
    expect(new Set(all).size).toBe(4);
    expect(new Set(all.map(tagOf)).size).toBe(1);
    expect(tagOf(files.ofUser(user))).toMatch(/^b[0-3][0-9a-f]$/);
    for (const other of users.filter((name) => name !== user))
      expect(files.ofUser(other)).not.toBe(files.ofUser(user));
  });

  test('sort by age', () => {
    const ids = [1_700_000_000_000, 1_700_000_000_001, 1_800_000_000_000].map((now) => newFileId('u', now));
    expect(ids.toSorted()).toEqual(ids);
  });
});

describe("a user's keys", () => {
  const all = (user: string) => [
    keys.webhookEndpoints(user),
    keys.webhookDeliveries(user, 'we_1'),
    keys.webhookDeliveryRecords(user, 'we_1'),
    keys.webhookTest(user, 'we_1'),
  ];

  test('share one hash tag and do not contain the user id', () => {
    expect(new Set(all('user-1')).size).toBe(4);
    expect(new Set(all('user-1').map(tagOf)).size).toBe(1);
    expect(all('user-1').join()).not.toContain('user-1');
    expect(tagOf(keys.webhookEndpoints('user-2'))).not.toBe(tagOf(keys.webhookEndpoints('user-1')));
  });
});

describe('the 64 buckets', () => {
  test('all have an outbox', () => {
    const outboxes = keys.outboxes();
    expect(new Set(outboxes).size).toBe(64);
    expect([outboxes.at(0), outboxes.at(-1)]).toEqual(['turnout:{b00}:outbox', 'turnout:{b3f}:outbox']);
  });

  test('cover every possible job id', () => {
    const outboxes = new Set(keys.outboxes());
    for (let last = 0; last < 256; last += 1) {
      const jobId = `job_${'a'.repeat(30)}${last.toString(16).padStart(2, '0')}`;
      expect(outboxes).toContain(keys.outbox(jobId));
    }
  });

  test('are filled evenly by random ids and by ids of idempotency keys', () => {
    for (const id of [() => newJobId('s', 'u'), (_: unknown, i: number) => newJobId('s', 'u', `key-${i}`)]) {
      const filled = Map.groupBy(Array.from({ length: 6_400 }, id), (jobId) => keys.open(jobId));
      expect(filled.size).toBe(64);
      for (const jobs of filled.values()) expect(jobs.length).toBeLessThan(200);
    }
  });
});
