import { isVisible, type JobEvent, type UsageEvent } from '../contracts/job-event.ts';

/** The call of the model that was under way when an attempt was lost. */
export interface LostCall {
  attempt: number;
  call: number;
  /** What of it is in the log. */
  sent: readonly JobEvent[];
}

/**
 * Undefined where nothing was begun, or the usage of the last call is known. An attempt that was released has told of its
 * calls itself.
 */
export function lostCall(history: readonly JobEvent[]): LostCall | undefined {
  const from = history.findLastIndex(({ type }) => type === 'attempt');
  const begun = history[from];
  if (begun?.type !== 'attempt') return undefined;
  const own = history.slice(from + 1);
  if (own.some(({ type }) => type === 'released')) return undefined;
  const call = Math.max(1, ...own.map((event) => (event.type === 'retry' ? event.call : 1)));
  if (own.some((event) => event.type === 'usage' && event.call === call)) return undefined;
  return {
    attempt: begun.attempt,
    call,
    sent: own.slice(own.findLastIndex(({ type }) => type === 'retry') + 1),
  };
}

/** UTF-8 bytes of a token: 4 in English prose; in code and in other scripts 2 to 3. */
const BYTES_PER_TOKEN = 4;

/** Takes microseconds, and is up to a factor of two away. */
export function roughTokens(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

/** The usage of a lost call for one who has no tokenizer and no prompt at hand: rough, and better than none. */
export function roughUsage(history: readonly JobEvent[]): UsageEvent | undefined {
  const lost = lostCall(history);
  if (!lost) return undefined;
  const routed = history.find((event) => event.type === 'routed');
  const prompt = routed?.promptTokens ?? 0;
  const completion = roughTokens(Buffer.byteLength(lost.sent.filter(isVisible).map(sentText).join('')));
  const usage = { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
  return { type: 'usage', attempt: lost.attempt, call: lost.call, source: 'estimated', usage };
}

export function sentText(event: JobEvent): string {
  if (event.type === 'text' || event.type === 'reasoning' || event.type === 'refusal') return event.delta;
  return event.type === 'tool_call' ? `${event.name ?? ''}${event.arguments}` : '';
}
