import { describe, expect, test } from '@jest/globals';
import { type JobEvent } from '../../contracts/job-event.ts';
import { deliveryId, eventOfJob, sampleEvent } from './event.ts';

const at = 1_700_000_000_999;
const digits = '0123456789abcdef'.repeat(2);
const jobId = `job_${digits}`;
const cut: JobEvent = { type: 'choice_end', choice: 0, reason: 'length' };

describe("the event of a job's end", () => {
  test.each<[string, JobEvent[]]>([
    ['response.completed', [{ type: 'completed', at }]],
    ['response.incomplete', [cut, { type: 'completed', at }]],
    ['response.failed', [{ type: 'failed', at, error: { code: 'upstream_failed', message: '' } }]],
    ['response.cancelled', [{ type: 'cancelled', at, by: 'client' }]],
  ])('is %s', (type, events) => {
    expect(eventOfJob(jobId, events)).toEqual({
      id: `evt_${digits}`,
      object: 'event',
      created_at: 1_700_000_000,
      type,
      data: { id: `resp_${digits}` },
    });
  });

  test.each<[string, JobEvent[]]>([
    ['without a log', []],
    ['that is open', [{ type: 'attempt', at, attempt: 1, path: 'litellm' }]],
  ])('does not exist for a job %s', (_what, events) => {
    expect(eventOfJob(jobId, events)).toBeUndefined();
  });
});

test('a delivery has one id for each endpoint and event', () => {
  const id = deliveryId('we_1', 'evt_1');
  expect(id).toMatch(/^whd_[0-9a-f]{32}$/);
  expect(deliveryId('we_1', 'evt_1')).toBe(id);
  expect(new Set([id, deliveryId('we_2', 'evt_1'), deliveryId('we_1', 'evt_2')]).size).toBe(3);
});

test('each sample event has its own id', () => {
  const [one, other] = [sampleEvent('response.failed', at), sampleEvent('response.failed', at)];
  expect(one).toMatchObject({ type: 'response.failed', created_at: 1_700_000_000 });
  expect(one.id).not.toBe(other.id);
});
