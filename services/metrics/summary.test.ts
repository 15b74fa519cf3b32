import { describe, expect, test } from '@jest/globals';
import { type Outcome } from '../../shared/contracts/outcome.ts';
import { type Counts } from './counts/counts.ts';
import { fold } from './counts/fold.ts';
import { renderPrometheus } from './prometheus.ts';
import { summarise } from './summary.ts';

function outcome(i: number, more: Partial<Outcome>): Outcome {
  return {
    version: 1,
    id: `e${i}`,
    jobId: `job_${i.toString(16).padStart(32, '0')}`,
    userHash: 'abc',
    model: 'gpt',
    decision: { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 },
    status: 'completed',
    attempts: 1,
    at: 1_000 * i,
    ms: { total: i, firstToken: i / 2 },
    usage: [],
    ...more,
  };
}

const usage = {
  id: 'call',
  source: 'reported',
  tokens: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  cost: 0.25,
} as const;
const hundred = Array.from({ length: 100 }, (_, i) => outcome(i + 1, { usage: [usage] }));
const failed = outcome(200, {
  status: 'failed',
  error: 'upstream_failed',
  decision: { path: 'legacy', reason: 'disabled', epoch: 0, step: 0 },
});
const cached = outcome(300, {
  cached: { tokens: { prompt_tokens: 30, completion_tokens: 20, total_tokens: 50 }, cost: 0.5 },
  attempts: 0,
});
const counts: Counts = new Map([...fold([...hundred, failed, cached]), ['since', 1_000], ['until', 200_000]]);

describe('the summary', () => {
  const summary = summarise(counts);

  test('has the totals and the figures of each path', () => {
    expect(summary).toMatchObject({ jobs: 102, completed: 101, errors: 1, cancelled: 0, errorRate: 1 / 102 });
    expect(summary.errorsByCode).toEqual({ upstream_failed: 1 });
    expect(summary.paths.litellm).toMatchObject({ jobs: 100, errorRate: 0, errorsByCode: {} });
    expect(summary.paths.legacy).toMatchObject({ jobs: 1, errorRate: 1, latencyMs: null });
    expect(summary.paths.cache).toMatchObject({ jobs: 1, attempts: 0, completedWithoutUsage: 0 });
    expect(summary.paths.none).toMatchObject({ jobs: 0, errorRate: null, ttftMs: null });
  });

  test('gives percentiles of completed jobs within 0.8%', () => {
    const { count, mean, p50, p90, p99 } = summary.paths.litellm.latencyMs ?? {};
    expect([count, mean]).toEqual([100, 50.5]);
    expect(Math.abs((p50 ?? 0) / 50 - 1)).toBeLessThan(0.008);
    expect(Math.abs((p90 ?? 0) / 90 - 1)).toBeLessThan(0.008);
    expect(Math.abs((p99 ?? 0) / 99 - 1)).toBeLessThan(0.008);
  });

  test('keeps reported and estimated usage apart', () => {
    expect(summary.tokens).toEqual({
      reported: { prompt: 300, completion: 200 },
      estimated: { prompt: 0, completion: 0 },
    });
    expect(summary.cost).toEqual({ reported: 25, estimated: 0 });
  });

  test('reports what the cache saved, and does not add it to the usage', () => {
    expect(summary.saved).toEqual({ prompt: 30, completion: 20, cost: 0.5 });
  });

  test('has the times of the first and the last event', () => {
    expect([summary.since, summary.until]).toEqual(['1970-01-01T00:00:01.000Z', '1970-01-01T00:03:20.000Z']);
  });

  test('without events has no rates, percentiles or times', () => {
    expect(summarise(new Map())).toMatchObject({ jobs: 0, since: null, errorRate: null, latencyMs: null });
  });
});

describe('the Prometheus text', () => {
  const text = renderPrometheus(counts);

  test.each([
    'turnout_jobs_total{path="litellm",status="completed"} 100',
    'turnout_jobs_total{path="none",status="cancelled"} 0',
    'turnout_job_errors_total{path="legacy",code="upstream_failed"} 1',
    'turnout_tokens_total{path="litellm",source="reported",kind="prompt"} 300',
    'turnout_cost_dollars_total{path="litellm",source="reported"} 25',
    'turnout_saved_tokens_total{kind="prompt"} 30',
    'turnout_saved_dollars_total{} 0.5',
    'turnout_jobs_without_usage_total{path="litellm"} 0',
    'turnout_jobs_without_usage_total{path="cache"} 0',
    'turnout_events_total{fate="counted"} 102',
    'turnout_job_duration_seconds_bucket{path="litellm",status="completed",le="0.001024"} 1',
    'turnout_job_duration_seconds_bucket{path="litellm",status="completed",le="0.065536"} 65',
    'turnout_job_duration_seconds_bucket{path="litellm",status="completed",le="+Inf"} 100',
    'turnout_job_duration_seconds_sum{path="litellm",status="completed"} 5.05',
    'turnout_time_to_first_token_seconds_count{path="litellm"} 100',
  ])('%s', (line) => expect(text.split('\n')).toContain(line));

  test('has HELP and TYPE once for each name', () => {
    const types = text.split('\n').filter((line) => line.startsWith('# TYPE'));
    expect(new Set(types).size).toBe(types.length);
    expect(types).toHaveLength(12);
  });

  test('omits error codes that never occurred', () => {
    expect(text).not.toContain('code="internal_error"');
  });
});
