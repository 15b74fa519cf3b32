import { Counter, type Registry } from 'prom-client';
import { type Decision } from '../../shared/contracts/decision.ts';
import { type InForce } from '../../shared/rollout/control/in-force.ts';
import { textsOf } from '../../shared/platform/config/flags.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { periodically } from '../../shared/platform/util/periodically.ts';

interface FlagMetricsOptions {
  inForce: () => InForce;
  registry: Registry;
  everyMs: number;
  log: Logger;
}

/** What this router decided, by which flags: for the log, in the rollout guide's words, and for Prometheus. */
export interface FlagMetrics {
  count: (decision: Decision) => void;
  /** Now: the flags have changed. */
  tell: () => void;
  start: () => void;
  close: () => Promise<void>;
}

export function createFlagMetrics({ inForce, registry, everyMs, log }: FlagMetricsOptions): FlagMetrics {
  const total = new Counter({
    name: 'turnout_decisions_total',
    help: 'Jobs by the path that they were decided for, and why.',
    labelNames: ['path', 'reason'],
    registers: [registry],
  });
  const decisions: Partial<Record<Decision['path'], Partial<Record<Decision['reason'], number>>>> = {};

  function tell(): void {
    const { flags, epoch, rolledBack } = inForce();
    log.info({ epoch, rolledBack, flags: withoutUsers(flags), decisions }, 'Feature flag metrics');
  }
  const telling = periodically({
    everyMs,
    run: () => {
      tell();
      return Promise.resolve();
    },
    onError: (error) => log.warn({ err: error }, 'The flags could not be told'),
  });
  return {
    count: ({ path, reason }) => {
      total.inc({ path, reason });
      const ofBackend = (decisions[path] ??= {});
      ofBackend[reason] = (ofBackend[reason] ?? 0) + 1;
    },
    tell,
    start: () => {
      tell();
      telling.start();
    },
    close: () => telling.close(),
  };
}

/** No log names a user: of a list only its length is told. */
function withoutUsers(flags: InForce['flags']): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(textsOf(flags)).map(([name, text]) => {
      const value = flags[name as keyof typeof flags];
      return [name, Array.isArray(value) ? value.length : text];
    }),
  );
}
