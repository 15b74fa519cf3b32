import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { type Backend } from '../../../shared/contracts/decision.ts';
import { type Outcome, type Stage } from '../../../shared/contracts/outcome.ts';

/**
 * The names of the counts. Redis stores them as one flat hash, name -> integer. Integer additions commute, so the order of batches does
 * not matter. A histogram has one field for each bucket (`#<bucket>`) and one for its sum (`#us`).
 */
export const PATHS = ['litellm', 'legacy', 'cache', 'none'] as const satisfies readonly (
  Backend | 'cache' | 'none'
)[];
/** `cache`: answered from the cache, without a backend. `none`: the job ended before it was routed. */
export type BackendLabel = (typeof PATHS)[number];
export const STATUSES = ['completed', 'failed', 'cancelled'] as const satisfies readonly Outcome['status'][];
export type Status = (typeof STATUSES)[number];
export const SOURCES = ['reported', 'estimated'] as const;
export type Source = (typeof SOURCES)[number];
export const TOKEN_KINDS = ['prompt', 'completion'] as const;
export type TokenKind = (typeof TOKEN_KINDS)[number];

export const field = {
  jobs: (backend: BackendLabel, status: Status) => `jobs/${backend}/${status}`,
  errors: (backend: BackendLabel, code: ErrorCode) => `errors/${backend}/${code}`,
  attempts: (backend: BackendLabel) => `attempts/${backend}`,
  tokens: (backend: BackendLabel, source: Source, kind: TokenKind) => `tokens/${backend}/${source}/${kind}`,
  cost: (backend: BackendLabel, source: Source) => `cost/${backend}/${source}`,
  /** Tokens saved by answers from the cache. */
  savedTokens: (kind: TokenKind) => `saved/${kind}`,
  savedCost: () => 'saved/cost',
  /** Completed jobs without reported or estimated usage. */
  withoutUsage: (backend: BackendLabel) => `without-usage/${backend}`,
  latency: (backend: BackendLabel, status: Status) => `latency/${backend}/${status}`,
  firstToken: (backend: BackendLabel) => `first-token/${backend}`,
  stage: (backend: BackendLabel, stage: Stage) => `stage/${backend}/${stage}`,
  /** How the events themselves were handled. */
  events: (fate: EventFate) => `events/${fate}`,
} as const;

export const EVENT_FATES = ['counted', 'repeated', 'unreadable', 'missing'] as const;
/** `repeated`: the same id was counted before. `missing`: offsets that Kafka no longer has and skipped. */
export type EventFate = (typeof EVENT_FATES)[number];

export function bucketField(histogram: string, bucket: number): string {
  return `${histogram}#${bucket}`;
}

export function sumField(histogram: string): string {
  return `${histogram}#us`;
}
