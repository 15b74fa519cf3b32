import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { createLogger } from '../log/logger.ts';
import { type Redis } from './connect.ts';
import { createSharedClock, showClockSkew } from './shared-clock.ts';

const START = 1_800_000_000_000;

/** A process whose clock is `skewMs` ahead of Redis. A call takes `roundTripMs`, half of it on the way to Redis. */
function skewed({ skewMs = 0, roundTripMs = 2 }) {
  const world = { redisMs: START, skewMs, roundTripMs, away: false, asked: 0 };
  const time = () => {
    world.asked += 1;
    if (world.away) return Promise.reject(new Error('Connection is closed.'));
    world.redisMs += world.roundTripMs / 2;
    const micros = world.redisMs * 1_000;
    world.redisMs += world.roundTripMs / 2;
    return Promise.resolve([String(Math.floor(micros / 1e6)), String(micros % 1e6)]);
  };
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const log = createLogger('test', { LOG_LEVEL: 'info' }, { write });
  const clock = createSharedClock({
    redis: { time } as unknown as Redis,
    log,
    clock: () => world.redisMs + world.skewMs,
  });
  return { world, clock, lines };
}

test.each([-5_000, 15_000])(
  'a process whose clock is %d ms off uses the time of Redis, exports the difference and warns',
  async (skewMs) => {
    const { world, clock, lines } = skewed({ skewMs });
    const registry = new Registry();
    showClockSkew(registry, clock);
    expect(clock.skewMs()).toBeUndefined();
    await clock.measure();
    expect(clock.skewMs()).toBe(skewMs);
    expect(clock.now()).toBe(world.redisMs);
    expect(await registry.metrics()).toContain(`turnout_clock_skew_seconds ${skewMs / 1_000}`);
    expect(lines).toMatchObject([{ level: 'warn', skewMs, msg: 'Clock differs from Redis' }]);
    await clock.measure();
    expect(lines).toHaveLength(1); // a minute has not passed
  },
);

test('a change within the measurement error is ignored', async () => {
  const { world, clock, lines } = skewed({ skewMs: 4 });
  await clock.measure();
  expect(clock.skewMs()).toBe(0);
  Object.assign(world, { skewMs: 90, roundTripMs: 200 });
  await clock.measure();
  expect(clock.skewMs()).toBe(0);
  world.roundTripMs = 20;
  await clock.measure();
  expect(clock.skewMs()).toBe(90);
  expect(lines).toEqual([]);
});

test('the next measurement detects that the clock was set', async () => {
  const { world, clock } = skewed({});
  await clock.measure();
  world.skewMs = 3_600_000;
  await clock.measure();
  expect(clock.now()).toBe(world.redisMs);
});

test('slow replies are ignored, and the last known difference is used while Redis is unreachable', async () => {
  const { world, clock, lines } = skewed({ skewMs: 500 });
  await clock.measure();
  Object.assign(world, { skewMs: 700, roundTripMs: 5_000 });
  await clock.measure();
  expect(clock.skewMs()).toBe(500);
  world.away = true;
  await clock.measure();
  await clock.measure();
  expect(clock.skewMs()).toBe(500);
  expect(lines.map(({ msg }) => msg)).toEqual([
    'Cannot compare the clock with Redis; using the last known difference',
  ]);
  Object.assign(world, { away: false, roundTripMs: 2 });
  await clock.measure();
  expect(clock.skewMs()).toBe(700);
});
