import { describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { measureEventLoop, watchEventLoop } from './event-loop.ts';
import { createProbes } from './probes.ts';
import { createWorkInProgress } from './work-in-progress.ts';

/** A watch on a fake clock, and the warnings that it logged. */
function watched() {
  let at = 0;
  let cpu = 0;
  const lines: object[] = [];
  const work = createWorkInProgress(() => at);
  const log = { warn: (fields: object, msg: string) => lines.push({ ...fields, msg }) };
  const watch = watchEventLoop({ log: log as never, work, now: () => at, cpu: () => cpu });
  watch.close(); // the test calls `look` itself
  const pass = (ms: number, busy = ms) => {
    at += ms;
    cpu += busy;
  };
  return { watch, work, lines, pass };
}

describe('a blocked event loop is reported', () => {
  test('but not for a delay below the limit', () => {
    const { watch, lines, pass } = watched();
    pass(139);
    watch.look();
    expect(lines).toEqual([]);
  });

  test('with the work that began before it and all open work', () => {
    const { watch, work, lines, pass } = watched();
    work.begin('POST /v1/responses');
    work.begin('POST /v1/chat/completions').mark('POST /v1/chat/completions: handler');
    pass(1_040);
    work.begin('queue llm').end();
    watch.look();
    expect(lines).toEqual([
      {
        ms: 1_000,
        cpuMs: 1_040,
        work: 'POST /v1/chat/completions: handler',
        open: { 'POST /v1/responses': 1, 'POST /v1/chat/completions': 1 },
        msg: 'Event loop was blocked',
      },
    ]);
  });

  test('without work that had ended before', async () => {
    const { watch, work, lines, pass } = watched();
    await work.during('topic turnout.jobs', () => Promise.resolve());
    pass(500, 3);
    watch.look();
    expect(lines).toEqual([expect.objectContaining({ ms: 460, cpuMs: 3, work: 'unknown', open: {} })]);
  });

  test('once for each block', () => {
    const { watch, lines, pass } = watched();
    pass(500);
    watch.look();
    pass(40);
    watch.look();
    expect(lines).toHaveLength(1);
  });

  test('even after more work than there are marks', () => {
    const { watch, work, lines, pass } = watched();
    for (let i = 0; i < 10_000; i += 1) work.begin(`work ${i}`).end();
    work.begin('the last');
    pass(200);
    watch.look();
    expect(lines).toEqual([expect.objectContaining({ work: 'the last' })]);
  });
});

test('failed work is closed as well', async () => {
  const work = createWorkInProgress();
  const failing = work.during('queue llm', () => Promise.reject(new Error('no')));
  expect(work.open()).toEqual({ 'queue llm': 1 });
  await expect(failing).rejects.toThrow('no');
  expect(work.open()).toEqual({});
});

describe('the delay of the event loop', () => {
  const figure = async (registry: Registry, quantile: string) => {
    const metric = await registry.getSingleMetric('turnout_event_loop_delay_seconds')?.get();
    return metric?.values.find(({ labels }) => String(labels['quantile']) === quantile)?.value;
  };

  test('is a metric of every service', async () => {
    const { registry } = createProbes('test', {});
    const text = await registry.metrics();
    for (const quantile of ['0.5', '0.99', '0.999', '1'])
      expect(text).toContain(`turnout_event_loop_delay_seconds{quantile="${quantile}",service="test"} `);
  });

  test('survives a scrape, and is forgotten after two minutes', async () => {
    let at = 0;
    let worstMs = 540;
    const registry = new Registry();
    const histogram = {
      enable: () => true,
      reset: () => (worstMs = 40),
      percentile: () => worstMs * 1e6,
    };
    measureEventLoop(registry, histogram, () => at);
    expect(await figure(registry, '1')).toBeCloseTo(0.5);
    at += 60_000;
    expect(await figure(registry, '1')).toBeCloseTo(0.5);
    at += 59_000;
    expect(await figure(registry, '1')).toBeCloseTo(0.5);
    at += 1_000;
    await figure(registry, '1');
    expect(await figure(registry, '1')).toBeCloseTo(0);
  });
});
