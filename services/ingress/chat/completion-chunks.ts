import {
  type JobEvent,
  type TokenUsage,
  type VisibleEvent,
  isVisible,
} from '../../../shared/contracts/job-event.ts';
import { toChatAnnotation } from '../answers/annotations.ts';
import { modelOf } from '../answers/answered-by.ts';
import { addUsage, usageIn } from '../../../shared/jobs/joblog/usage.ts';

export interface CompletionHead {
  /** `chatcmpl-...` */
  id: string;
  /** The model that the client named. The answer shows another one if Turnout chose the model. */
  model: string;
  /** Seconds since the epoch. */
  created: number;
}

export type Chunk = Record<string, unknown>;

/**
 * Encodes the job log as OpenAI's `chat.completion.chunk` objects. The first chunk of a choice carries its role. With
 * `includeUsage` every chunk has `usage: null`, and a final chunk without choices carries the total usage of all calls.
 */
export function createChunkEncoder(
  head: CompletionHead,
  includeUsage: boolean,
): (event: JobEvent) => Chunk[] {
  const begun = new Set<number>();
  let usage: TokenUsage | undefined;
  let { model } = head;
  const chunk = (choices: unknown[], total: TokenUsage | null = null): Chunk => ({
    id: head.id,
    object: 'chat.completion.chunk',
    created: head.created,
    model,
    choices,
    ...(includeUsage ? { usage: total } : {}),
  });

  return (event) => {
    model = modelOf(event) ?? model;
    for (const one of usageIn(event)) usage = usage ? addUsage(usage, one) : one;
    if (event.type === 'completed') return includeUsage && usage ? [chunk([], usage)] : [];
    if (!isVisible(event)) return [];
    const role = begun.has(event.choice) ? {} : { role: 'assistant' };
    begun.add(event.choice);
    return [chunk([toChoice(event, role)])];
  };
}

function toChoice(event: VisibleEvent, role: object): object {
  const delta = { ...role, ...toDelta(event) };
  const logprobs =
    event.type === 'text' && event.logprobs !== undefined ? { logprobs: wholeLogprobs(event.logprobs) } : {};
  return {
    index: event.choice,
    delta,
    ...logprobs,
    finish_reason: event.type === 'choice_end' ? event.reason : null,
  };
}

/** LiteLLM omits null members from streamed chunks, but OpenAI's type requires both. */
function wholeLogprobs(logprobs: unknown): object {
  return { content: null, refusal: null, ...(logprobs as object | null) };
}

function toDelta(event: VisibleEvent): object {
  switch (event.type) {
    case 'text':
      return { content: event.delta };
    case 'reasoning':
      return { reasoning_content: event.delta };
    case 'refusal':
      return { refusal: event.delta };
    case 'tool_call':
      return { tool_calls: [toToolCall(event)] };
    case 'citation':
      return { annotations: [toChatAnnotation(event)] };
    case 'choice_end':
      return {};
  }
}

function toToolCall(event: Extract<VisibleEvent, { type: 'tool_call' }>): object {
  const { index, id, name } = event;
  return {
    index,
    ...(id === undefined ? {} : { id, type: 'function' }),
    function: { ...(name === undefined ? {} : { name }), arguments: event.arguments },
  };
}
