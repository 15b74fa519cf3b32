import { outcome, type Outcome } from '../../shared/contracts/outcome.ts';
import { type InboundMessage } from '../../shared/platform/kafka/port.ts';

/** A message of the events topic: an outcome, or the reason why the message is not one. */
export type ReadEvent = { outcome: Outcome } | { reason: string };

/**
 * Larger figures are errors of the sender. The limits keep the sum of a whole batch a safe integer, so that no message can make its
 * batch fail forever.
 */
const LIMITS = { ms: 1e9, attempts: 1e6, tokens: 1e9, dollars: 1_000 } as const;

export function readOutcome({ value }: Pick<InboundMessage, 'value'>): ReadEvent {
  if (value === undefined) return { reason: 'the message has no value' };
  const parsed = outcome.safeParse(parseJson(value));
  if (!parsed.success) return { reason: parsed.error.issues.map(describe).join('; ') };
  const beyond = beyondLimits(parsed.data);
  return beyond.length > 0 ? { reason: beyond.join('; ') } : { outcome: parsed.data };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema reports that it is not an object
  }
}

function describe({ path, message }: { path: PropertyKey[]; message: string }): string {
  return `${path.join('.') || 'the message'}: ${message}`;
}

type Figure = [name: string, figure: number, limit: number];

function beyondLimits({ ms, attempts, usage, routingUsage }: Outcome): string[] {
  const figures: Figure[] = [
    ['ms.total', ms.total, LIMITS.ms],
    ['ms.firstToken', ms.firstToken ?? 0, LIMITS.ms],
    ['attempts', attempts, LIMITS.attempts],
    ...[...usage, ...(routingUsage ? [routingUsage] : [])].flatMap(({ tokens, cost }, call): Figure[] => [
      [`usage.${call}.tokens.prompt_tokens`, tokens.prompt_tokens, LIMITS.tokens],
      [`usage.${call}.tokens.completion_tokens`, tokens.completion_tokens, LIMITS.tokens],
      [`usage.${call}.cost`, cost ?? 0, LIMITS.dollars],
    ]),
  ];
  return figures.flatMap(([name, figure, limit]) =>
    figure > limit ? [`${name}: ${figure} is over ${limit}`] : [],
  );
}
