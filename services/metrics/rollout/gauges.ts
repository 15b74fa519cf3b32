import { Gauge, type Registry } from 'prom-client';
import { path } from '../../../shared/contracts/decision.ts';
import { type RolloutStatus } from '../../../shared/rollout/control/read-status.ts';

type Collect<Label extends string> = (gauge: Gauge<Label>, status: RolloutStatus) => void;

const VERDICTS = ['idle', 'unsure', 'safe', 'freeze', 'rollback'] as const;

/**
 * What alerts hang on, for Prometheus: the same from every instance, leader or not. Of what was judged there are no values where nobody has
 * judged for a minute. `status`: read at each scrape.
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
    { name: 'share_percent', help: 'Users on LiteLLM by their share, as things are.' },
    (share, { percentage }) => share.set(percentage),
  );
  gauge(
    { name: 'rolled_back', help: '1 from a rollback until a resume.' },
    (rolledBack, { rolledBack: latch }) => rolledBack.set(latch ? 1 : 0),
  );
  gauge({ name: 'frozen', help: '1 while the share may not grow.' }, (frozen, { frozen: latch }) =>
    frozen.set(latch ? 1 : 0),
  );
  gauge(
    { name: 'verdict', help: 'The judge’s last verdict: 1 at its kind.', labels: ['kind'] },
    (verdict, { safety }) => {
      if (!safety) return;
      for (const kind of VERDICTS) verdict.set({ kind }, safety.verdict.kind === kind ? 1 : 0);
    },
  );
  gauge(
    { name: 'evidence_ratio', help: 'Evidence over what decides, by test: 1 decides.', labels: ['test'] },
    (ratio, { safety }) => {
      for (const [test, { evidence, decisive }] of Object.entries(safety?.evidence ?? {}))
        ratio.set({ test }, evidence / decisive);
    },
  );
  gauge(
    { name: 'error_rate_percent', help: 'Of the last five minutes, by path.', labels: ['path'] },
    (rate, { safety }) => {
      if (safety) for (const of of path.options) rate.set({ path: of }, safety[of].errorRate);
    },
  );
}
