import { describe, expect, test } from '@jest/globals';
import { type BenchFindings, toBenchReport } from './report.ts';
import { benchTable } from './table.ts';

const at = (p50: number, p99 = p50): { p50: number; p99: number } => ({ p50, p99 });
const times = (
  ttft: number,
): { ttft: ReturnType<typeof at>; total: ReturnType<typeof at>; requests: number } => ({
  ttft: at(ttft),
  total: at(ttft + 50),
  requests: 3,
});
const latency = (direct: number): BenchFindings['alone'] => ({
  times: { litellm: times(direct), turnout: times(direct + 8) },
  added: { turnout: { ttft: at(8, 20), total: at(9, 30) } },
  errors: {},
});
const saturation = (
  perSecond: number,
  cpuMsPerJob: Record<string, number>,
): BenchFindings['jobs']['byTarget'][string] => ({
  perSecond,
  rounds: [perSecond],
  total: at(10),
  cpuMsPerJob,
  rssMb: { router: 90 },
});
const rates = (): BenchFindings['jobs'] => ({
  byTarget: { turnout: saturation(600, { router: 0.5 }), litellm: saturation(120, { litellm: 8 }) },
  errors: {},
});
const findings = (over: Partial<BenchFindings> = {}): BenchFindings => ({
  quick: false,
  hops: { kafka: at(3), bullmq: at(1.5), redis: at(0.5), pubsub: at(0.5) },
  alone: latency(30),
  crowd: latency(640),
  jobs: rates(),
  streams: rates(),
  complex: {
    times: [],
    p50: { sequential: 2_400, parallel: 840, limit: 800 },
    errors: {},
  },
  paths: {
    byKind: {
      simple: comparison(420, 440),
      assistant: comparison(720, 440),
      complex: comparison(2_000, 1_000),
    },
    partsMs: { 'one part': 1 },
    errors: {},
  },
  scaling: { concurrency: 16, perSecond: { '1': 15.8, '2': 31.5, '4': 60 }, errors: {} },
  paced: {
    streams: 100,
    tokens: 100,
    tokensPerSecond: 20,
    cpuMsPerStream: { router: 0.5, redis: 4 },
    redisBytesPerJob: 5_120,
    errors: {},
  },
  ...over,
});
const now = new Date(0);

test('the table has the CPU time of a paced stream by process, and its memory in Redis', () => {
  const table = benchTable(toBenchReport(findings(), now));
  expect(table).toMatch(/^all +4\.50$/m);
  expect(table).toContain('A job takes 5.0 KiB in the job Redis');
});

test('the rate of each number of workers is compared with the rate of half as many', () => {
  const { scaling } = toBenchReport(findings(), now);
  expect(scaling.doublings).toEqual({ '2': 1.99, '4': 1.9 });
  expect(benchTable(toBenchReport(findings(), now))).toMatch(/^4 +60\.0 +1\.90 times$/m);
});

function comparison(legacy: number, litellm: number) {
  const less = { legacy, litellm, saved: 1 - litellm / legacy };
  return { ttft: less, total: less };
}

describe('the report', () => {
  test('has the fields that are compared between releases', () => {
    expect(toBenchReport(findings(), now)).toMatchObject({
      hopsMs: { kafka: 3, bullmq: 1.5, redis: 0.5 },
      addedTtftMs: { c1: at(8, 20), c20: at(8, 20) },
      addedTotalMs: { c1: at(9, 30), c20: at(9, 30) },
      jobsPerSecond: { turnout: 600, litellm: 120 },
      cpuMsPerJob: { router: 0.5 },
      rssMb: { router: 90 },
      complex: { sequentialMs: 2_400, parallelMs: 840, limitMs: 800, saved: 0.65, overLimit: 0.05 },
      ratios: { ttftToHops: 1.6, jobsToLiteLlm: 5 },
      notes: [],
      errors: {},
    });
  });

  test('notes if LiteLLM was saturated with 20 users', () => {
    expect(toBenchReport(findings({ crowd: latency(2_700) }), now).notes).toEqual([
      expect.stringContaining('saturated'),
    ]);
  });

  test('adds up the errors of all phases', () => {
    const failed = { ...latency(30), errors: { 'turnout: status 503': 2 } };
    expect(toBenchReport(findings({ alone: failed, crowd: failed }), now).errors).toEqual({
      'turnout: status 503': 4,
    });
  });

  test('shows every target of every phase as a table', () => {
    const table = benchTable(toBenchReport(findings(), now));
    for (const line of [
      'kafka',
      'added by turnout',
      'jobs, turnout',
      '50-token streams, litellm',
      'router',
      'In parallel: 65% less than in sequence, 5% above the limit.',
    ]) {
      expect(table).toContain(line);
    }
  });
});
