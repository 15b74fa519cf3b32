import { type JobEvent, type VisibleEvent, isVisible } from '../../../shared/contracts/job-event.ts';
import { type CompletionHead } from './completion-chunks.ts';
import { modelOf } from '../answers/answered-by.ts';
import { toChatAnnotation } from '../answers/annotations.ts';
import { usageOf } from '../../../shared/jobs/joblog/usage.ts';

interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

interface Choice {
  content: string | null;
  reasoning: string;
  refusal: string | null;
  toolCalls: ToolCall[];
  annotations: object[];
  logprobs: unknown[];
  finishReason: string;
}

/** Folds the job log into OpenAI's `chat.completion` object. Its content equals that of the concatenated chunks. */
export function toCompletion(head: CompletionHead, events: readonly JobEvent[]): object {
  const choices = new Map<number, Choice>();
  for (const event of events) {
    if (isVisible(event))
      choices.set(event.choice, extend(choices.get(event.choice) ?? emptyChoice(), event));
  }
  const indexed = [...choices].sort(([a], [b]) => a - b);
  return {
    id: head.id,
    object: 'chat.completion',
    created: head.created,
    model: events.map(modelOf).find((model) => model !== undefined) ?? head.model,
    choices: indexed.map(([index, choice]) => toChoice(index, choice)),
    usage: usageOf(events) ?? null,
  };
}

function emptyChoice(): Choice {
  const lists = { toolCalls: [], annotations: [], logprobs: [] };
  return { content: null, reasoning: '', refusal: null, finishReason: 'stop', ...lists };
}

function extend(choice: Choice, event: VisibleEvent): Choice {
  switch (event.type) {
    case 'text':
      if (event.logprobs !== undefined) choice.logprobs.push(event.logprobs);
      choice.content = (choice.content ?? '') + event.delta;
      return choice;
    case 'reasoning':
      choice.reasoning += event.delta;
      return choice;
    case 'refusal':
      choice.refusal = (choice.refusal ?? '') + event.delta;
      return choice;
    case 'tool_call':
      extendToolCall(choice.toolCalls, event);
      return choice;
    case 'citation':
      choice.annotations.push(toChatAnnotation(event));
      return choice;
    case 'choice_end':
      choice.finishReason = event.reason;
      return choice;
  }
}

function extendToolCall(calls: ToolCall[], event: Extract<VisibleEvent, { type: 'tool_call' }>): void {
  const call = (calls[event.index] ??= { id: '', type: 'function', function: { name: '', arguments: '' } });
  call.id ||= event.id ?? '';
  call.function.name += event.name ?? '';
  call.function.arguments += event.arguments;
}

function toChoice(index: number, choice: Choice): object {
  return {
    index,
    message: {
      role: 'assistant',
      content: choice.content,
      refusal: choice.refusal,
      ...(choice.reasoning === '' ? {} : { reasoning_content: choice.reasoning }),
      ...(choice.toolCalls.length === 0 ? {} : { tool_calls: choice.toolCalls }),
      ...(choice.annotations.length === 0 ? {} : { annotations: choice.annotations }),
    },
    logprobs: mergeLogprobs(choice.logprobs),
    finish_reason: choice.finishReason,
  };
}

/** Each chunk carries the log probabilities of its own tokens; the completion lists them all in order. */
function mergeLogprobs(parts: readonly unknown[]): object | null {
  if (parts.length === 0) return null;
  const lists = parts as { content?: unknown[] | null; refusal?: unknown[] | null }[];
  return {
    content: lists.flatMap(({ content }) => content ?? []),
    refusal: lists.some(({ refusal }) => refusal) ? lists.flatMap(({ refusal }) => refusal ?? []) : null,
  };
}
