import { describe, expect, test } from '@jest/globals';
import { stopOrder } from './shutdown.ts';
import { toDuration, statusTable } from './status.ts';

test.each([
  [999, '0s'],
  [59_000, '59s'],
  [723_000, '12m 03s'],
  [11_220_000, '3h 07m'],
  [190_800_000, '2d 05h'],
])('%d ms are shown as %s', (ms, text) => expect(toDuration(ms)).toBe(text));

test('the table has aligned columns, and dashes for the unknown values of a dead process', () => {
  const table = statusTable([
    { name: 'ingress', pid: 12, port: 8080, health: 'healthy', uptimeMs: 5000, memory: 120e6 },
    { name: 'router', pid: 3456, port: 8081, health: 'dead' },
  ]);
  expect(table.split('\n')).toEqual([
    'process  pid   port  health   uptime  memory',
    'ingress  12    8080  healthy  5s      120 MB',
    'router   3456  8081  dead     -       -',
  ]);
});

describe('the stop order', () => {
  test('the ingress stops first, the infrastructure last', () => {
    const names = [
      'kafka',
      'redis',
      'ingress',
      'router',
      'router-2',
      'llm-worker',
      'cache',
      'cache-redis',
      'metrics',
    ];
    const waves = stopOrder(names.map((name) => ({ name }))).map((wave) => wave.map(({ name }) => name));
    expect(waves).toEqual([
      ['ingress'],
      ['router', 'router-2'],
      ['llm-worker'],
      ['cache', 'metrics'],
      ['kafka', 'redis', 'cache-redis'],
    ]);
  });

  test('a process that is in no wave stops first', () => {
    expect(stopOrder([{ name: 'kafka' }, { name: 'new' }]).map((wave) => wave[0]?.name)).toEqual([
      'new',
      'kafka',
    ]);
  });
});
