import { z } from 'zod';
import type { AskedChat } from '../chat.ts';
import type { Turn } from '../core/conversation.ts';
import { extractDirectives } from '../core/knobs.ts';
import type { ChatRequest, Tool } from '../core/reply.ts';
import { ApiError } from '../http/router.ts';
import { check } from '../http/validation.ts';

/** The body of Bedrock's Converse, as far as the simulator supports it. A content block has one key, which names its kind. */
const text = z.string().regex(/\S/, 'The text field in the ContentBlock object is blank.');
const block = z.looseObject({
  text: text.optional(),
  toolUse: z
    .looseObject({ toolUseId: z.string(), name: z.string(), input: z.record(z.string(), z.unknown()) })
    .optional(),
  toolResult: z
    .looseObject({
      toolUseId: z.string(),
      content: z.array(z.looseObject({ text: z.string().optional(), json: z.unknown().optional() })),
    })
    .optional(),
  image: z.unknown().optional(),
  document: z.unknown().optional(),
});
type Block = z.infer<typeof block>;

const converseBody = z.looseObject({
  messages: z
    .array(z.looseObject({ role: z.enum(['user', 'assistant']), content: z.array(block).min(1) }))
    .min(1),
  system: z.array(z.looseObject({ text: text.optional() })).optional(),
  inferenceConfig: z
    .looseObject({
      maxTokens: z.int().min(1).optional(),
      stopSequences: z.array(z.string()).optional(),
    })
    .optional(),
  toolConfig: z
    .looseObject({
      tools: z.array(
        z.looseObject({
          toolSpec: z
            .looseObject({
              name: z.string(),
              inputSchema: z.looseObject({ json: z.record(z.string(), z.unknown()) }),
            })
            .optional(),
        }),
      ),
      toolChoice: z
        .looseObject({ any: z.unknown().optional(), tool: z.looseObject({ name: z.string() }).optional() })
        .optional(),
    })
    .optional(),
  additionalModelRequestFields: z
    .looseObject({
      thinking: z.looseObject({ type: z.string() }).optional(),
      output_config: z.looseObject({ effort: z.string().optional() }).optional(),
    })
    .optional(),
  additionalModelResponseFieldPaths: z.array(z.string()).optional(),
});
type ConverseBody = z.infer<typeof converseBody>;

export interface ParsedConverse extends AskedChat {
  /** Whether the caller asked for the response fields with the number of thinking tokens. */
  thinkingFields: boolean;
}

/** @throws ApiError 400, which becomes a ValidationException */
export function parseConverse(raw: unknown, model: string, stream: boolean): ParsedConverse {
  const body = check(converseBody, raw);
  checkOrder(body);
  const directives: string[] = [];
  const system = (body.system ?? []).flatMap((part) => part.text ?? []);
  const turns = [
    ...(system.length === 0 ? [] : [spoken('system', system, 0, directives)]),
    ...body.messages.flatMap(({ role, content }) => toTurns(role, content, directives)),
  ];
  const paths = body.additionalModelResponseFieldPaths ?? [];
  return {
    request: toRequest(body, model, turns),
    stream,
    directives,
    thinkingFields: paths.includes('/usage/output_tokens_details'),
  };
}

function checkOrder({ messages }: ConverseBody): void {
  if (messages[0]?.role !== 'user')
    throw new ApiError(
      400,
      'A conversation must start with a user message. Try again with a conversation that starts with a user message.',
    );
  if (messages.some(({ role }, at) => role === messages[at - 1]?.role))
    throw new ApiError(
      400,
      'A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.',
    );
}

function toRequest(body: ConverseBody, model: string, turns: readonly Turn[]): ChatRequest {
  const { thinking, output_config: output } = body.additionalModelRequestFields ?? {};
  return {
    model,
    turns,
    tools: (body.toolConfig?.tools ?? []).flatMap(({ toolSpec }): Tool[] =>
      toolSpec ? [{ name: toolSpec.name, parameters: toolSpec.inputSchema.json }] : [],
    ),
    toolChoice: toolChoiceOf(body.toolConfig?.toolChoice),
    parallelToolCalls: true,
    format: { kind: 'text' },
    choices: 1,
    maxTokens: body.inferenceConfig?.maxTokens ?? null,
    stop: body.inferenceConfig?.stopSequences ?? [],
    effort: output?.effort ?? null,
    thinking: thinking !== undefined && thinking.type !== 'disabled',
  };
}

type ToolChoice = NonNullable<ConverseBody['toolConfig']>['toolChoice'];

function toolChoiceOf(choice: ToolChoice): ChatRequest['toolChoice'] {
  if (choice?.tool) return { name: choice.tool.name };
  return choice?.any === undefined ? 'auto' : 'required';
}

function spoken(
  role: Turn['role'],
  texts: readonly string[],
  attachments: number,
  directives: string[],
): Turn {
  const said = extractDirectives(texts.join('\n'));
  directives.push(...said.directives);
  return { role, text: said.text, attachments, toolCallId: null, toolCalls: [] };
}

/** Tool results become turns of their own, before the user's text in the same message. Thinking that the caller sends back is ignored. */
function toTurns(role: 'user' | 'assistant', content: readonly Block[], directives: string[]): Turn[] {
  const results = content.flatMap(({ toolResult }) => (toolResult ? [toResultTurn(toolResult)] : []));
  const texts = content.flatMap((part) => part.text ?? []);
  const attachments = content.filter(({ image, document }) => (image ?? document) !== undefined).length;
  const toolCalls = content.flatMap(({ toolUse: used }) =>
    used ? [{ id: used.toolUseId, name: used.name, arguments: JSON.stringify(used.input) }] : [],
  );
  const silent = texts.length === 0 && attachments === 0 && toolCalls.length === 0;
  if (silent && results.length > 0) return results;
  return [...results, { ...spoken(role, texts, attachments, directives), toolCalls }];
}

function toResultTurn({ toolUseId, content }: NonNullable<Block['toolResult']>): Turn {
  const texts = content.map((part) => part.text ?? JSON.stringify(part.json));
  return { role: 'tool', text: texts.join('\n'), attachments: 0, toolCallId: toolUseId, toolCalls: [] };
}
