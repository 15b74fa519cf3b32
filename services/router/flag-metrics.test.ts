import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { inForce } from '../../shared/rollout/control/in-force.ts';
import { type Flags, readFlags } from '../../shared/platform/config/flags.ts';
import { createFlagMetrics } from './flag-metrics.ts';

test('the flags, the epoch and the decisions by path and reason are logged, without user ids', async () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    {},
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const flags = readFlags({ LITELLM_PERCENTAGE: '15', BYPASS_USER: 'ada,bob' }) as Flags;
  const registry = new Registry();
  const metrics = createFlagMetrics({
    inForce: () => inForce(undefined, flags),
    registry,
    everyMs: 60_000,
    log,
  });
  const decided = { epoch: 0, step: 0 };
  metrics.count({ path: 'litellm', reason: 'percentage', ...decided });
  metrics.count({ path: 'litellm', reason: 'percentage', ...decided });
  metrics.count({ path: 'legacy', reason: 'bypass', ...decided });
  metrics.logFlags();
  expect(lines).toMatchObject([
    {
      msg: 'Feature flag metrics',
      epoch: 0,
      rolledBack: false,
      flags: { LITELLM_PERCENTAGE: '15', BYPASS_USER: 2 },
      decisions: { litellm: { percentage: 2 }, legacy: { bypass: 1 } },
    },
  ]);
  expect(JSON.stringify(lines)).not.toContain('ada');
  expect(await registry.metrics()).toContain('turnout_decisions_total{path="legacy",reason="bypass"} 1');
});
