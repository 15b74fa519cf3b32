import {
  type ResponseFunctionToolCall,
  type ResponseOutputMessage,
  type ResponseOutputRefusal,
  type ResponseOutputText,
  type ResponseReasoningItem,
  type ResponseStreamEvent,
} from 'openai/resources/responses/responses';
import { type VisibleEvent } from '../../../shared/contracts/job-event.ts';
import { type Annotation, toAnnotation } from '../answers/annotations.ts';

type Unnumbered<Event> = Event extends unknown ? Omit<Event, 'sequence_number'> : never;
/** A stream event without its sequence number. */
export type Draft = Unnumbered<ResponseStreamEvent>;
export type OutputItem = ResponseFunctionToolCall | ResponseOutputMessage | ResponseReasoningItem;
export type Closing = 'completed' | 'incomplete';

/** An output item of a response while it is generated: open -> closed. Each step yields OpenAI's events. */
export interface GrowingItem {
  readonly index: number;
  /** Adds an event's content to the item. */
  grow(event: VisibleEvent): Draft[];
  /** The events that close the item. */
  close(as: Closing): Draft[];
  render(): OutputItem;
}

type Status = 'in_progress' | Closing;
type LogProbs = NonNullable<ResponseOutputText['logprobs']>;
/** Stream events contain tokens without their bytes. */
type EventLogProbs = Extract<Draft, { type: 'response.output_text.delta' }>['logprobs'];

interface Place {
  /** Hex digits of the response id. They make the item's id unique. */
  digits: string;
  index: number;
}

/** A model's reasoning becomes the summary of a reasoning item, where SDKs display it. */
export function reasoningItem({ digits, index: output_index }: Place): GrowingItem {
  const id = `rs_${digits}_${output_index}`;
  const at = { item_id: id, output_index, summary_index: 0 };
  let text = '';
  let status: Status = 'in_progress';
  let begun = false;
  const part = () => ({ type: 'summary_text' as const, text });
  const render = (): ResponseReasoningItem => ({ id, type: 'reasoning', summary: begun ? [part()] : [] });

  return {
    index: output_index,
    render,
    grow: (event) => {
      if (event.type !== 'reasoning') return [];
      const drafts: Draft[] = begun
        ? []
        : [
            { type: 'response.output_item.added', output_index, item: render() },
            { type: 'response.reasoning_summary_part.added', ...at, part: part() },
          ];
      begun = true;
      text += event.delta;
      return [...drafts, { type: 'response.reasoning_summary_text.delta', ...at, delta: event.delta }];
    },
    close: (as) => {
      status = as;
      return [
        { type: 'response.reasoning_summary_text.done', ...at, text },
        {
          type: 'response.reasoning_summary_part.done',
          ...at,
          part: part(),
          ...(status === 'incomplete' ? { status } : {}),
        },
        { type: 'response.output_item.done', output_index, item: render() },
      ];
    },
  };
}

interface TextPart {
  kind: 'text' | 'refusal';
  text: string;
  annotations: Annotation[];
  logprobs: LogProbs;
}

/** An assistant message. Its parts are text or refusals, one after another. */
export function messageItem({ digits, index: output_index }: Place): GrowingItem {
  const id = `msg_${digits}_${output_index}`;
  const parts: TextPart[] = [];
  let status: Status = 'in_progress';
  const render = (): ResponseOutputMessage => ({
    id,
    type: 'message',
    role: 'assistant',
    status,
    content: parts.map((part) => renderPart(part)),
  });
  const position = () => ({ item_id: id, output_index, content_index: parts.length - 1 });

  function begin(kind: TextPart['kind']): Draft[] {
    const drafts: Draft[] =
      parts.length === 0
        ? [{ type: 'response.output_item.added', output_index, item: render() }]
        : endOfPart();
    const part: TextPart = { kind, text: '', annotations: [], logprobs: [] };
    parts.push(part);
    return [...drafts, { type: 'response.content_part.added', ...position(), part: renderPart(part) }];
  }

  function endOfPart(): Draft[] {
    const part = parts.at(-1);
    if (!part) return [];
    const { text, logprobs } = part;
    const done: Draft =
      part.kind === 'text'
        ? { type: 'response.output_text.done', ...position(), text, logprobs: withoutBytes(logprobs) }
        : { type: 'response.refusal.done', ...position(), refusal: text };
    return [done, { type: 'response.content_part.done', ...position(), part: renderPart(part) }];
  }

  /** Adds a citation, but only to an existing text part. */
  function cite(annotation: Annotation): Draft[] {
    const part = parts.at(-1);
    if (part?.kind !== 'text') return [];
    part.annotations.push(annotation);
    const annotation_index = part.annotations.length - 1;
    return [{ type: 'response.output_text.annotation.added', ...position(), annotation_index, annotation }];
  }

  return {
    index: output_index,
    render,
    grow: (event) => {
      if (event.type === 'citation') return cite(toAnnotation(event));
      if (event.type !== 'text' && event.type !== 'refusal') return [];
      const drafts = parts.at(-1)?.kind === event.type ? [] : begin(event.type);
      const part = parts.at(-1);
      if (part) part.text += event.delta;
      if (event.type === 'refusal')
        return [...drafts, { type: 'response.refusal.delta', ...position(), delta: event.delta }];
      const logprobs = logProbsOf(event.logprobs);
      part?.logprobs.push(...logprobs);
      const said = { delta: event.delta, logprobs: withoutBytes(logprobs) };
      return [...drafts, { type: 'response.output_text.delta', ...position(), ...said }];
    },
    close: (as) => {
      status = as;
      return [...endOfPart(), { type: 'response.output_item.done', output_index, item: render() }];
    },
  };
}

function renderPart({
  kind,
  text,
  annotations,
  logprobs,
}: TextPart): ResponseOutputText | ResponseOutputRefusal {
  if (kind === 'refusal') return { type: 'refusal', refusal: text };
  return { type: 'output_text', text, annotations: [...annotations], logprobs };
}

/** Converts Chat Completions log probabilities. A token's bytes may be null there, but not here. */
function logProbsOf(logprobs: unknown): LogProbs {
  const { content } = (logprobs ?? {}) as { content?: TokenLogProb[] | null };
  return (content ?? []).map((token) => ({
    ...withBytes(token),
    top_logprobs: (token.top_logprobs ?? []).map((top) => withBytes(top)),
  }));
}

function withoutBytes(logprobs: LogProbs): EventLogProbs {
  return logprobs.map(({ token, logprob, top_logprobs }) => ({
    token,
    logprob,
    top_logprobs: top_logprobs.map((top) => ({ token: top.token, logprob: top.logprob })),
  }));
}

interface TokenLogProb {
  token: string;
  logprob: number;
  bytes?: number[] | null;
  top_logprobs?: TokenLogProb[];
}

function withBytes({ token, logprob, bytes }: TokenLogProb) {
  return { token, logprob, bytes: bytes ?? [] };
}

/**
 * A function call. If a provider returns to a call after starting the next one, the call reopens and its closing events are sent
 * again with the complete arguments.
 */
export function callItem({ digits, index: output_index }: Place): GrowingItem {
  const id = `fc_${digits}_${output_index}`;
  const call = { call_id: `call_${digits}_${output_index}`, name: '', arguments: '' };
  let status: Status = 'in_progress';
  let begun = false;
  const at = { item_id: id, output_index };
  const render = (): ResponseFunctionToolCall => ({ id, type: 'function_call', status, ...call });

  return {
    index: output_index,
    render,
    grow: (event) => {
      if (event.type !== 'tool_call') return [];
      status = 'in_progress';
      if (!begun && event.id !== undefined) call.call_id = event.id;
      call.name += event.name ?? '';
      const added: Draft[] = begun
        ? []
        : [{ type: 'response.output_item.added', output_index, item: render() }];
      begun = true;
      if (event.arguments === '') return added;
      call.arguments += event.arguments;
      return [...added, { type: 'response.function_call_arguments.delta', ...at, delta: event.arguments }];
    },
    close: (as) => {
      status = as;
      return [
        { type: 'response.function_call_arguments.done', ...at, arguments: call.arguments },
        { type: 'response.output_item.done', output_index, item: render() },
      ];
    },
  };
}
