import { aligned } from '../../bench/measure/aligned.ts';
import { type HitFigures } from './hits.ts';
import { type LimitFigures } from './limits.ts';
import { type CACHE_PLAN } from './plan.ts';
import { type Replayed } from './replay.ts';
import { type TraceName } from './traces.ts';

/** `.turnout/reports/cache.json`. Milliseconds, bytes and MiB; rates and shares from 0 to 1. */
export interface CacheReport {
  at: string;
  plan: typeof CACHE_PLAN;
  limits: LimitFigures;
  replays: ReplayFigures[];
  hits: HitFigures;
  /** The problems found, as text: exceeded limits, wrong values, missing hits. */
  wrong: string[];
}

export interface ReplayFigures extends Replayed {
  trace: TraceName;
  /** Share of the default limits. */
  limits: number;
}

export function toCacheReport(figures: Omit<CacheReport, 'at' | 'wrong'>, at: Date): CacheReport {
  const { limits, replays, hits } = figures;
  const { kept, of } = limits.quiet;
  return {
    at: at.toISOString(),
    ...figures,
    wrong: [
      ...limits.broken,
      ...(kept < of ? [`${of - kept} entries of users below the floor were evicted for other users`] : []),
      ...replays
        .filter(({ wrong }) => wrong > 0)
        .map(({ trace, wrong }) => `${trace}: ${wrong} wrong values`),
      ...(hits.served.counted === hits.served.of
        ? []
        : [`only ${hits.served.counted} of ${hits.served.of} answers came from the cache`]),
    ],
  };
}

/** The report as text. */
export function cacheText({ plan, limits, replays, hits }: CacheReport): string {
  const { filled, churned, memory, longest, swept, quiet } = limits;
  const counts = (name: string, { entries, bytes, users, most }: LimitFigures['filled']) => [
    name,
    ...[entries, mib(bytes), users, most.entries, Math.round(most.bytes / 1_024)].map(String),
  ];
  return [
    ...aligned([
      ['counted from the keys', 'entries', 'MiB', 'users', 'most per user', 'KiB per user'],
      counts(`after ${plan.limits.fill} writes`, filled),
      counts(`after ${plan.limits.churn} more operations`, churned),
      [
        'limit',
        ...[limits.limits.entries, mib(limits.limits.bytes), '', limits.limits.userEntries].map(String),
        String(limits.limits.userBytes / 1_024),
      ],
    ]),
    `Redis needs ${limits.overheadBytes} bytes per entry in addition to its name and value. Redis itself evicted ${limits.evictedByRedis} keys.`,
    `Inactive users below the floor: ${quiet.kept} of ${quiet.of} entries are left.`,
    `MiB during the churn: Redis ${memory.redis.join(' ')}; this process ${memory.process.join(' ')}.`,
    `Swept: ${swept.expired} expired, ${swept.cleared} cleared, in ${swept.seconds} s.`,
    `Longest times in ms: one sweep ${longest.sweep}, one write ${longest.put}, a ping during the sweep ${longest.pingWhileSweeping}.`,
    '',
    ...aligned([
      [
        'replays, after warm-up',
        'limits',
        'operations',
        'reachable',
        'hit rate of these',
        'only from others',
        'late s',
      ],
      ...replays.map((one) => [
        one.trace,
        String(one.limits),
        String(one.operations),
        percent(one.reachable),
        percent(one.hitRate),
        percent(one.reachableByOthers),
        String(one.lateS),
      ]),
    ]),
    '',
    ...aligned([
      ['time to first token, ms', 'p50', 'p99'],
      [`from a ${plan.hits.ttft} ms model`, ms(hits.misses.p50), ms(hits.misses.p99)],
      ['from the cache', ms(hits.hits.p50), ms(hits.hits.p99)],
    ]),
    `The cache is ${hits.faster} times faster.`,
  ].join('\n');
}

const ms = (value: number) => value.toFixed(2);
const mib = (bytes: number) => (bytes / 1024 / 1024).toFixed(1);
const percent = (share: number) => `${(share * 100).toFixed(1)}%`;
