import { isVisible, type JobEvent, type TokenUsage, type UsageEvent } from '../../contracts/job-event.ts';
import { costOf } from '../../contracts/cost-of.ts';

/** The model call that was running when an attempt was lost. */
export interface LostCall {
  attempt: number;
  call: number;
  /** The call's events in the log. */
  sent: readonly JobEvent[];
}

/**
 * The calls of lost attempts whose usage is not recorded, in order. There is at most one for each attempt, since a call's usage is written
 * before the next call begins. `later`: events that are not in the log yet; they may record the usage.
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
  /** The events between the attempt's start and the next attempt's. */
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

/** A released attempt has recorded the usage of its calls. Every attempt but the first writes `retry` before each of its calls. */
function lostCallOf({ attempt, own }: OneAttempt): LostCall[] {
  if (own.some(({ type }) => type === 'released')) return [];
  const last = own.findLastIndex(({ type }) => type === 'retry');
  if (last < 0 && attempt > 1) return [];
  const begun = own[last];
  return [{ attempt, call: begun?.type === 'retry' ? begun.call : 1, sent: own.slice(last + 1) }];
}

/** UTF-8 bytes per token: 4 in English prose, 2 to 3 in code and in other scripts. */
const BYTES_PER_TOKEN = 4;

/** Takes microseconds; wrong by up to a factor of two. For text that a user controls, use `measureRequest` instead. */
export function roughTokens(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

/** A word of Latin letters, up to three digits, a run of marks, or a run of another script. */
const WORDS = /[A-Za-z\u00c0-\u024f]+|\p{N}{1,3}|[^\s\p{L}\p{N}]+|\p{L}+/gu;
/** Characters per token in a word of Latin letters. */
const LETTERS = 8;
const MARKS = 3;

/** Estimates an answer's tokens without a tokenizer, from its words; within about 10% for prose. Linear in its length. */
function tokensByWords(text: string): number {
  let tokens = 0;
  for (const [word] of text.matchAll(WORDS)) {
    if (/^[A-Za-z\u00c0-\u024f]/.test(word)) tokens += Math.ceil(word.length / LETTERS);
    else if (/^\p{L}/u.test(word)) tokens += roughTokens(Buffer.byteLength(word));
    else tokens += /^\p{N}/u.test(word) ? 1 : Math.ceil(word.length / MARKS);
  }
  return tokens;
}

/** Estimated usage of the lost calls, without a tokenizer and without the prompt, whose tokens were counted at admission. */
export function roughUsages(history: readonly JobEvent[], later: readonly JobEvent[] = []): UsageEvent[] {
  const prompt = history.find((event) => event.type === 'routed')?.promptTokens ?? 0;
  return billLostCalls(history, later, (sent) => {
    const completion = tokensByWords(sent.filter(isVisible).map(sentText).join(''));
    return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
  });
}

/** The usage events of the lost calls, with the prices that the log has for the models that were called. */
export function billLostCalls(
  history: readonly JobEvent[],
  later: readonly JobEvent[],
  estimate: (sent: readonly JobEvent[]) => TokenUsage,
): UsageEvent[] {
  const { quote } = history.find((event) => event.type === 'routed') ?? {};
  let billed = billedIn([...history, ...later]);
  return lostCalls(history, later).map((lost): UsageEvent => {
    const { attempt, call, sent } = lost;
    const usage = estimate(sent);
    const cost = costOf(quote, { model: modelOf(history, lost), usage, billed });
    billed += cost ?? 0;
    return {
      ...({ type: 'usage', attempt, call, source: 'estimated', usage } as const),
      ...(cost === undefined ? {} : { cost }),
    };
  });
}

/** Cost in US dollars of the calls whose usage is in the log. */
export function billedIn(events: readonly JobEvent[]): number {
  return events.reduce((sum, event) => sum + (event.type === 'usage' ? (event.cost ?? 0) : 0), 0);
}

/** The log has a `retry` event with the model for every call but a job's first. */
function modelOf(history: readonly JobEvent[], { attempt, call }: LostCall): string {
  const retry = history.find(
    (event) => event.type === 'retry' && event.attempt === attempt && event.call === call,
  );
  if (retry?.type === 'retry') return retry.model;
  const routed = history.find((event) => event.type === 'routed')?.model;
  return routed ?? history.find((event) => event.type === 'accepted')?.model ?? '';
}

export function sentText(event: JobEvent): string {
  if (event.type === 'text' || event.type === 'reasoning' || event.type === 'refusal') return event.delta;
  return event.type === 'tool_call' ? `${event.name ?? ''}${event.arguments}` : '';
}
