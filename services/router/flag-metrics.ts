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

/** Reports this router's decisions and the flags in force: in the log, with the rollout guide's phrase, and to Prometheus. */
export interface FlagMetrics {
  count: (decision: Decision) => void;
  /** Logs the flags and decisions now; called when the flags change. */
  logFlags: () => void;
  start: () => void;
  close: () => Promise<void>;
}

export function createFlagMetrics({ inForce, registry, everyMs, log }: FlagMetricsOptions): FlagMetrics {
  const total = new Counter({
    name: 'turnout_decisions_total',
    help: 'Routing decisions, by path and reason.',
    labelNames: ['path', 'reason'],
    registers: [registry],
  });
  const decisions: Partial<Record<Decision['path'], Partial<Record<Decision['reason'], number>>>> = {};

  function logFlags(): void {
    const { flags, epoch, rolledBack } = inForce();
    log.info({ epoch, rolledBack, flags: withoutUsers(flags), decisions }, 'Feature flag metrics');
  }
  const logging = periodically({
    everyMs,
    run: () => {
      logFlags();
      return Promise.resolve();
    },
    onError: (error) => log.warn({ err: error }, 'Could not log the feature flag metrics; retrying'),
  });
  return {
    count: ({ path, reason }) => {
      total.inc({ path, reason });
      const ofBackend = (decisions[path] ??= {});
      ofBackend[reason] = (ofBackend[reason] ?? 0) + 1;
    },
    logFlags,
    start: () => {
      logFlags();
      logging.start();
    },
    close: () => logging.close(),
  };
}

/** Replaces each list of users by its length, because no user id may be logged. */
function withoutUsers(flags: InForce['flags']): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(textsOf(flags)).map(([name, text]) => {
      const value = flags[name as keyof typeof flags];
      return [name, Array.isArray(value) ? value.length : text];
    }),
  );
}
