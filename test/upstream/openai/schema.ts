import { z } from 'zod';
import type { AskedChat } from '../chat.ts';
import type { Turn } from '../core/conversation.ts';
import { extractDirectives } from '../core/knobs.ts';
import type { AnswerFormat, ChatRequest } from '../core/reply.ts';
import { check } from '../http/validation.ts';

/** OpenAI's request bodies, as far as the simulator supports them. Unknown fields are accepted. */
const textPart = z.looseObject({
  type: z.enum(['text', 'input_text', 'refusal']),
  text: z.string().optional(),
  refusal: z.string().optional(),
});
const otherPart = z.looseObject({ type: z.string() });
const content = z.union([z.string(), z.array(z.union([textPart, otherPart]))]).nullish();
const jsonSchema = z.record(z.string(), z.unknown());

const message = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  content,
  tool_call_id: z.string().nullish(),
  tool_calls: z
    .array(
      z.looseObject({ id: z.string(), function: z.looseObject({ name: z.string(), arguments: z.string() }) }),
    )
    .nullish(),
});

const chatBody = z.looseObject({
  model: z.string().min(1),
  messages: z.array(message).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  n: z.int().min(1).max(128).nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(16)]).nullish(),
  logprobs: z.boolean().nullish(),
  tools: z
    .array(
      z.looseObject({
        type: z.literal('function'),
        function: z.looseObject({ name: z.string(), parameters: jsonSchema.nullish() }),
      }),
    )
    .nullish(),
  tool_choice: z
    .union([
      z.enum(['auto', 'none', 'required']),
      z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: z.string() }) }),
    ])
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: z
    .discriminatedUnion('type', [
      z.looseObject({ type: z.literal('text') }),
      z.looseObject({ type: z.literal('json_object') }),
      z.looseObject({
        type: z.literal('json_schema'),
        json_schema: z.looseObject({ name: z.string(), schema: jsonSchema.nullish() }),
      }),
    ])
    .nullish(),
  reasoning_effort: z.string().nullish(),
});

const embeddingsBody = z.looseObject({
  model: z.string().min(1),
  input: z.union([
    z.string(),
    z.array(z.string()).min(1),
    z.array(z.int()).min(1),
    z.array(z.array(z.int()).min(1)).min(1),
  ]),
  dimensions: z.int().min(1).max(4096).nullish(),
  encoding_format: z.enum(['float', 'base64']).nullish(),
});

type ChatBody = z.infer<typeof chatBody>;
export type EmbeddingsBody = z.infer<typeof embeddingsBody>;

/** @throws ApiError 400 naming the first bad field */
export const parseEmbeddings = (body: unknown): EmbeddingsBody => check(embeddingsBody, body);

const ROLES = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
  tool: 'tool',
  function: 'tool',
} as const;

function textOf(part: z.infer<typeof textPart> | z.infer<typeof otherPart>): string | null {
  const known = textPart.safeParse(part);
  return known.success ? (known.data.text ?? known.data.refusal ?? '') : null;
}

function spoken(raw: z.infer<typeof content>): { text: string; attachments: number } {
  if (!Array.isArray(raw)) return { text: raw ?? '', attachments: 0 };
  const texts = raw.map(textOf);
  const kept = texts.filter((text) => text !== null);
  return { text: kept.join('\n'), attachments: texts.length - kept.length };
}

function toTurn(raw: ChatBody['messages'][number], directives: string[]): Turn {
  const said = spoken(raw.content);
  const { text, directives: found } = extractDirectives(said.text);
  directives.push(...found);
  return {
    role: ROLES[raw.role],
    text,
    attachments: said.attachments,
    toolCallId: raw.tool_call_id ?? null,
    toolCalls: (raw.tool_calls ?? []).map(({ id, function: called }) => ({
      id,
      name: called.name,
      arguments: called.arguments,
    })),
  };
}

function formatOf(format: ChatBody['response_format']): AnswerFormat {
  if (format?.type === 'json_object') return { kind: 'json' };
  if (format?.type === 'json_schema') return { kind: 'schema', schema: format.json_schema.schema ?? {} };
  return { kind: 'text' };
}

function toolChoiceOf(choice: ChatBody['tool_choice']): ChatRequest['toolChoice'] {
  return typeof choice === 'object' && choice !== null ? { name: choice.function.name } : (choice ?? 'auto');
}

export interface ParsedChat extends AskedChat {
  includeUsage: boolean;
  logprobs: boolean;
}

/** @throws ApiError 400 naming the first bad field */
export function parseChat(raw: unknown): ParsedChat {
  const body = check(chatBody, raw);
  const directives: string[] = [];
  const turns = body.messages.map((each) => toTurn(each, directives));
  const request: ChatRequest = {
    model: body.model,
    turns,
    tools: (body.tools ?? []).map(({ function: tool }) => ({
      name: tool.name,
      parameters: tool.parameters ?? {},
    })),
    toolChoice: toolChoiceOf(body.tool_choice),
    parallelToolCalls: body.parallel_tool_calls ?? true,
    format: formatOf(body.response_format),
    choices: body.n ?? 1,
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? null,
    stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    effort: body.reasoning_effort ?? null,
    thinking: false,
  };
  const { stream, stream_options: options, logprobs } = body;
  return {
    request,
    stream: stream ?? false,
    includeUsage: options?.include_usage ?? false,
    logprobs: logprobs ?? false,
    directives,
  };
}
