import { isVisible, type JobEvent, type UsageEvent } from '../contracts/job-event.ts';

/** The call of the model that was under way when an attempt was lost. */
export interface LostCall {
  attempt: number;
  call: number;
  /** What of it is in the log. */
  sent: readonly JobEvent[];
}

/**
 * The calls that attempts were lost with and whose usage stands nowhere, in their order: at most one of each attempt, since
 * a call's usage is written before the next one begins. `later`: what is not in the log yet; it may tell of their usage.
 */
export function lostCalls(history: readonly JobEvent[], later: readonly JobEvent[] = []): LostCall[] {
  const settled = new Set([...history, ...later].filter((event) => event.type === 'usage').map(idOf));
  return attemptsOf(history)
    .flatMap(lostCallOf)
    .filter((lost) => !settled.has(idOf(lost)));
}

function idOf({ attempt, call }: Pick<UsageEvent, 'attempt' | 'call'>): string {
  return `${attempt}.${call}`;
}

interface OneAttempt {
  attempt: number;
  /** What stands in the log between its beginning and the next one's. */
  own: JobEvent[];
}

function attemptsOf(history: readonly JobEvent[]): OneAttempt[] {
  const attempts: OneAttempt[] = [];
  for (const event of history) {
    if (event.type === 'attempt') attempts.push({ attempt: event.attempt, own: [] });
    else attempts.at(-1)?.own.push(event);
  }
  return attempts;
}

/** One that was released has told of its calls itself. Any but the first says `retry` before each of its calls. */
function lostCallOf({ attempt, own }: OneAttempt): LostCall[] {
  if (own.some(({ type }) => type === 'released')) return [];
  const last = own.findLastIndex(({ type }) => type === 'retry');
  if (last < 0 && attempt > 1) return [];
  const begun = own[last];
  return [{ attempt, call: begun?.type === 'retry' ? begun.call : 1, sent: own.slice(last + 1) }];
}

/** UTF-8 bytes of a token: 4 in English prose; in code and in other scripts 2 to 3. */
const BYTES_PER_TOKEN = 4;

/** Takes microseconds, and is up to a factor of two away. */
export function roughTokens(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

/** The usages of the lost calls for one who has no tokenizer and no prompt at hand: rough, and better than none. */
export function roughUsages(history: readonly JobEvent[], later: readonly JobEvent[] = []): UsageEvent[] {
  const prompt = history.find((event) => event.type === 'routed')?.promptTokens ?? 0;
  return lostCalls(history, later).map(({ attempt, call, sent }) => {
    const completion = roughTokens(Buffer.byteLength(sent.filter(isVisible).map(sentText).join('')));
    const usage = { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
    return { type: 'usage', attempt, call, source: 'estimated', usage };
  });
}

export function sentText(event: JobEvent): string {
  if (event.type === 'text' || event.type === 'reasoning' || event.type === 'refusal') return event.delta;
  return event.type === 'tool_call' ? `${event.name ?? ''}${event.arguments}` : '';
}
