import { type ChatMessage, type ChatRequest, MAX_MESSAGES } from '../../../shared/contracts/chat-request.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type ResolvedConversation } from './conversation.ts';
import { type ResolvedItem } from '../response-schema/input-items.ts';
import { type FunctionTool, type ResponseRequest } from '../response-schema/request.ts';

export interface Translation {
  request: ChatRequest;
  /** Maps a path of the chat request, such as `messages[2].content[0].file.file_id`, to the parameter that the client sent. */
  paramOf: (chatParam: string) => string;
}

/**
 * Translates a response request to a chat request that every provider behind LiteLLM accepts. Drops the reasoning of earlier
 * turns, which is never sent back as content.
 *
 * Throws `invalid_value` if no message remains, or more than a chat request may have.
 */
export function toChat(request: ResponseRequest, { context, input }: ResolvedConversation): Translation {
  const items = [...context, ...input];
  const translated = translateItems(items);
  const instructions = instructionMessage(request.instructions, items);
  const tools = chosenTools(request);
  const chat: ChatRequest = {
    model: request.model,
    messages: [...instructions, ...translated.map(({ message }) => message)],
    stream: request.stream ?? false,
    ...compact({
      temperature: request.temperature,
      top_p: request.top_p,
      max_completion_tokens: request.max_output_tokens,
      reasoning_effort: request.reasoning?.effort,
      response_format: responseFormat(request),
      verbosity: request.text?.verbosity,
      tools: tools.length === 0 ? undefined : tools.map((tool) => toChatTool(tool)),
      tool_choice: tools.length === 0 ? undefined : toChatChoice(request.tool_choice),
      parallel_tool_calls: tools.length === 0 ? undefined : request.parallel_tool_calls,
      user: request.user,
      service_tier: request.service_tier,
      safety_identifier: request.safety_identifier,
      prompt_cache_key: request.prompt_cache_key,
      prompt_cache_retention: request.prompt_cache_retention,
      ...logProbabilities(request),
    }),
  };
  checkCount(chat.messages.length);
  const origins = [
    ...instructions.map(() => 'instructions'),
    ...translated.map(({ at }) =>
      at < context.length ? 'previous_response_id' : `input[${at - context.length}]`,
    ),
  ];
  return { request: chat, paramOf: (param) => originOf(param, origins) };
}

/** The router accepts neither case and could only fail the job. */
function checkCount(messages: number): void {
  if (messages === 0) throw invalidInput('it contains no message for the model');
  if (messages > MAX_MESSAGES)
    throw invalidInput(`together with the previous conversation it has more than ${MAX_MESSAGES} messages`);
}

function invalidInput(why: string): TurnoutError {
  return new TurnoutError('invalid_value', { message: `'input' is not valid: ${why}.`, param: 'input' });
}

interface Translated {
  message: ChatMessage;
  /** The index of the first item in the message. */
  at: number;
}

/** Tool calls belong to the assistant message before them, as the chat protocol requires. */
function translateItems(items: readonly ResolvedItem[]): Translated[] {
  const messages: Translated[] = [];
  for (const [at, item] of items.entries()) {
    const last = messages.at(-1)?.message;
    if (item.type === 'reasoning') continue;
    if (item.type === 'function_call' && last?.role === 'assistant')
      (last.tool_calls ??= []).push(toToolCall(item));
    else messages.push({ message: toMessage(item), at });
  }
  return messages;
}

function toMessage(item: Exclude<ResolvedItem, { type: 'reasoning' }>): ChatMessage {
  switch (item.type) {
    case 'message':
      return { role: item.role, content: toContent(item.content) } as ChatMessage;
    case 'function_call':
      return { role: 'assistant', content: null, tool_calls: [toToolCall(item)] };
    case 'function_call_output':
      return { role: 'tool', tool_call_id: item.call_id, content: toContent(item.output) } as ChatMessage;
  }
}

function toToolCall({
  call_id: id,
  name,
  arguments: text,
}: Extract<ResolvedItem, { type: 'function_call' }>) {
  return { id, type: 'function' as const, function: { name, arguments: text } };
}

type Part = Exclude<Extract<ResolvedItem, { type: 'message' }>['content'], string>[number];

/** Translates each part, so that a part keeps its index. A single text part becomes a plain string. */
function toContent(content: string | readonly Part[]): unknown {
  if (typeof content === 'string') return content;
  const [only] = content;
  if (content.length === 0) return '';
  if (content.length === 1 && only && 'text' in only) return only.text;
  return content.map((part) => toChatPart(part));
}

function toChatPart(part: Part): object {
  switch (part.type) {
    case 'input_text':
    case 'output_text':
      return { type: 'text', text: part.text };
    case 'refusal':
      return { type: 'refusal', refusal: part.refusal };
    case 'input_image':
      return { type: 'image_url', image_url: compact({ url: part.image_url, detail: part.detail }) };
    case 'input_audio':
      return { type: 'input_audio', input_audio: part.input_audio };
    case 'input_file': {
      const { file_id, file_data, filename } = part;
      return { type: 'file', file: compact({ file_id, file_data, filename }) };
    }
  }
}

/** OpenAI rejects a request with both kinds of instructions. */
function instructionMessage(
  instructions: string | null | undefined,
  items: readonly ResolvedItem[],
): ChatMessage[] {
  if (!instructions) return [];
  const developer = items.some((item) => item.type === 'message' && item.role === 'developer');
  return [{ role: developer ? 'developer' : 'system', content: instructions }];
}

/** With `allowed_tools` the model receives only those tools, which works with every provider. */
function chosenTools({ tools, tool_choice: choice }: ResponseRequest): FunctionTool[] {
  if (!choice || typeof choice === 'string' || choice.type === 'function') return tools ?? [];
  const allowed = new Set(choice.tools.map(({ name }) => name));
  return (tools ?? []).filter(({ name }) => allowed.has(name));
}

function toChatTool({ name, description, parameters, strict }: FunctionTool) {
  return { type: 'function' as const, function: { name, ...compact({ description, parameters, strict }) } };
}

function toChatChoice(choice: ResponseRequest['tool_choice']): ChatRequest['tool_choice'] {
  if (!choice) return undefined;
  if (typeof choice === 'string') return choice;
  if (choice.type === 'allowed_tools') return choice.mode;
  return { type: 'function', function: { name: choice.name } };
}

function responseFormat({ text }: ResponseRequest): ChatRequest['response_format'] {
  const format = text?.format;
  if (!format || format.type === 'text') return undefined;
  if (format.type === 'json_object') return format;
  const { name, description, schema, strict } = format;
  return { type: 'json_schema', json_schema: { name, schema, ...compact({ description, strict }) } };
}

function logProbabilities({ top_logprobs, include }: ResponseRequest): object {
  const wanted = (top_logprobs ?? 0) > 0 || include?.includes('message.output_text.logprobs');
  return wanted ? { logprobs: true, top_logprobs: top_logprobs ?? 0 } : {};
}

function originOf(param: string, origins: readonly string[]): string {
  const [, message, rest = ''] = /^messages(?:\[(\d+)\])?(.*)$/.exec(param) ?? [];
  if (message === undefined) return param === 'messages' ? 'input' : param;
  const origin = origins[Number(message)] ?? 'input';
  return origin.startsWith('input[') ? `${origin}${rest.replace('.file.', '.')}` : origin;
}

/** Omits undefined and null members, because some providers treat null as a value. */
function compact<T extends object>(members: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const given = Object.entries(members).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(given) as { [K in keyof T]?: NonNullable<T[K]> };
}
