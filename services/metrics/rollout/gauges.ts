import { Gauge, type Registry } from 'prom-client';
import { path } from '../../../shared/contracts/decision.ts';
import { type RolloutStatus } from '../../../shared/rollout/control/read-status.ts';

type Collect<Label extends string> = (gauge: Gauge<Label>, status: RolloutStatus) => void;

const VERDICTS = ['idle', 'unsure', 'safe', 'freeze', 'rollback'] as const;

/**
 * The rollout gauges for alerts. Every instance reports the same values, leader or not. Gauges of the judgement have no values when no
 * leader has judged for a minute. `status` is read at each scrape.
 */
export function registerRolloutGauges(registry: Registry, status: () => Promise<RolloutStatus>): void {
  function gauge<Label extends string>(
    { name, help, labels = [] }: { name: string; help: string; labels?: Label[] },
    collect: Collect<Label>,
  ): void {
    new Gauge({
      name: `turnout_rollout_${name}`,
      help,
      labelNames: labels,
      registers: [registry],
      async collect() {
        const read = await status();
        this.reset();
        collect(this, read);
      },
    });
  }

  gauge(
    { name: 'share_percent', help: 'The share of users on LiteLLM that is in force, in percent.' },
    (share, { percentage }) => share.set(percentage),
  );
  gauge(
    { name: 'rolled_back', help: '1 after a rollback, until a resume.' },
    (rolledBack, { rolledBack: latch }) => rolledBack.set(latch ? 1 : 0),
  );
  gauge({ name: 'frozen', help: '1 while the share must not grow.' }, (frozen, { frozen: latch }) =>
    frozen.set(latch ? 1 : 0),
  );
  gauge(
    {
      name: 'verdict',
      help: 'The judge’s last verdict: 1 for its kind, 0 for the others.',
      labels: ['kind'],
    },
    (verdict, { safety }) => {
      if (!safety) return;
      for (const kind of VERDICTS) verdict.set({ kind }, safety.verdict.kind === kind ? 1 : 0);
    },
  );
  gauge(
    {
      name: 'evidence_ratio',
      help: 'Evidence as a share of the decisive evidence, by test; at 1 the test decides.',
      labels: ['test'],
    },
    (ratio, { safety }) => {
      for (const [test, { evidence, decisive }] of Object.entries(safety?.evidence ?? {}))
        ratio.set({ test }, evidence / decisive);
    },
  );
  gauge(
    {
      name: 'error_rate_percent',
      help: 'Error rate of the last five minutes, by path, in percent.',
      labels: ['path'],
    },
    (rate, { safety }) => {
      if (safety) for (const of of path.options) rate.set({ path: of }, safety[of].errorRate);
    },
  );
}
