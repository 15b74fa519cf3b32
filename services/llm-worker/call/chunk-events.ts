import { type ChatCompletionChunk } from 'openai/resources/chat/completions';
import { type JobEvent, type TokenUsage, tokenUsage } from '../../../shared/contracts/job-event.ts';

type Delta = ChatCompletionChunk.Choice.Delta & {
  /** Reasoning, in the field that DeepSeek and LiteLLM use. */
  reasoning_content?: string | null;
};

/** Converts one chunk of a Chat Completions stream to job log events. Empty deltas and keep-alives give none. */
export function chunkEvents(chunk: ChatCompletionChunk): JobEvent[] {
  return chunk.choices.flatMap((choice) => choiceEvents(choice));
}

/** The usage from the final chunk, which has no choices. `cost` is reported by LiteLLM, in US dollars. */
export function chunkUsage(chunk: ChatCompletionChunk): { usage: TokenUsage; cost?: number } | undefined {
  if (!chunk.usage) return undefined; // all chunks but one
  const parsed = tokenUsage.safeParse(chunk.usage);
  if (!parsed.success) return undefined;
  const { cost, ...usage } = parsed.data as TokenUsage & { cost?: unknown };
  return typeof cost === 'number' && cost >= 0 ? { usage, cost } : { usage };
}

function choiceEvents({
  index: choice,
  delta: raw,
  finish_reason,
  logprobs,
}: ChatCompletionChunk.Choice): JobEvent[] {
  const delta = raw as Delta;
  const events: JobEvent[] = [];
  if (delta.reasoning_content) events.push({ type: 'reasoning', choice, delta: delta.reasoning_content });
  if (delta.content)
    events.push({ type: 'text', choice, delta: delta.content, ...(logprobs ? { logprobs } : {}) });
  if (delta.refusal) events.push({ type: 'refusal', choice, delta: delta.refusal });
  for (const call of delta.tool_calls ?? []) {
    events.push({
      type: 'tool_call',
      choice,
      index: call.index,
      ...(call.id ? { id: call.id } : {}),
      ...(call.function?.name ? { name: call.function.name } : {}),
      arguments: call.function?.arguments ?? '',
    });
  }
  if (finish_reason) events.push({ type: 'choice_end', choice, reason: finish_reason });
  return events;
}
