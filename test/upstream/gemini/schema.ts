import { z } from 'zod';
import type { AskedChat } from '../chat.ts';
import type { Turn } from '../core/conversation.ts';
import { extractDirectives } from '../core/knobs.ts';
import type { AnswerFormat, ChatRequest } from '../core/reply.ts';
import { check } from '../http/validation.ts';

/** The body of Gemini's generateContent, as far as the simulator supports it. Google accepts camelCase and snake_case names. */
function either<T extends z.ZodRawShape>(shape: T) {
  return z.preprocess(camelKeys, z.looseObject(shape));
}

function camelKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [toCamel(key), inner]));
}

const toCamel = (name: string): string =>
  name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());

const record = z.record(z.string(), z.unknown());
const part = either({
  text: z.string().optional(),
  thought: z.boolean().optional(),
  functionCall: z
    .looseObject({ id: z.string().nullish(), name: z.string(), args: record.nullish() })
    .optional(),
  functionResponse: z
    .looseObject({ id: z.string().nullish(), name: z.string(), response: record })
    .optional(),
  inlineData: z.unknown().optional(),
  fileData: z.unknown().optional(),
});
type Part = z.infer<typeof part>;
const content = z.looseObject({
  role: z.enum(['user', 'model', 'function']).optional(),
  parts: z.array(part).min(1),
});

const generationConfig = either({
  maxOutputTokens: z.int().min(1).optional(),
  stopSequences: z.array(z.string()).optional(),
  candidateCount: z.int().min(1).max(8).optional(),
  responseMimeType: z.string().optional(),
  responseSchema: record.optional(),
  responseJsonSchema: record.optional(),
  thinkingConfig: either({
    includeThoughts: z.boolean().optional(),
    thinkingBudget: z.int().optional(),
    thinkingLevel: z.string().optional(),
  }).optional(),
});
type GenerationConfig = z.infer<typeof generationConfig>;

const generateBody = either({
  contents: z.array(content).min(1),
  systemInstruction: z.looseObject({ parts: z.array(part) }).optional(),
  tools: z
    .array(
      either({
        functionDeclarations: z
          .array(
            either({
              name: z.string(),
              parameters: record.nullish(),
              parametersJsonSchema: record.nullish(),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
  toolConfig: either({
    functionCallingConfig: either({
      mode: z.string().optional(),
      allowedFunctionNames: z.array(z.string()).optional(),
    }).optional(),
  }).optional(),
  generationConfig: generationConfig.optional(),
});
type GenerateBody = z.infer<typeof generateBody>;

export interface ParsedGenerate extends AskedChat {
  /** Thoughts are always counted, but returned only on request. */
  includeThoughts: boolean;
}

/** @throws ApiError 400 naming the first bad field */
export function parseGenerate(raw: unknown, model: string, stream: boolean): ParsedGenerate {
  const body = check(generateBody, raw);
  const directives: string[] = [];
  const system =
    body.systemInstruction === undefined ? [] : toTurns('system', body.systemInstruction.parts, directives);
  const said = body.contents.flatMap(({ role, parts }) =>
    toTurns(role === 'model' ? 'assistant' : 'user', parts, directives),
  );
  const { includeThoughts = false } = body.generationConfig?.thinkingConfig ?? {};
  return { request: toRequest(body, model, [...system, ...said]), stream, directives, includeThoughts };
}

function toRequest(body: GenerateBody, model: string, turns: readonly Turn[]): ChatRequest {
  const { generationConfig: config = {} } = body;
  return {
    model,
    turns,
    tools: toolsOf(body),
    toolChoice: toolChoiceOf(body),
    parallelToolCalls: true,
    format: formatOf(config),
    choices: config.candidateCount ?? 1,
    maxTokens: config.maxOutputTokens ?? null,
    stop: config.stopSequences ?? [],
    ...thinkingOf(config),
  };
}

function toolsOf({ tools = [] }: GenerateBody): ChatRequest['tools'] {
  return tools
    .flatMap(({ functionDeclarations = [] }) => functionDeclarations)
    .map(({ name, parameters, parametersJsonSchema }) => ({
      name,
      parameters: parameters ?? parametersJsonSchema ?? {},
    }));
}

function toolChoiceOf({ toolConfig }: GenerateBody): ChatRequest['toolChoice'] {
  const { mode = 'AUTO', allowedFunctionNames = [] } = toolConfig?.functionCallingConfig ?? {};
  const [only] = allowedFunctionNames;
  if (only !== undefined && allowedFunctionNames.length === 1) return { name: only };
  return mode === 'ANY' ? 'required' : mode === 'NONE' ? 'none' : 'auto';
}

function formatOf({ responseMimeType, responseSchema, responseJsonSchema }: GenerationConfig): AnswerFormat {
  const schema = responseSchema ?? responseJsonSchema;
  if (schema !== undefined) return { kind: 'schema', schema };
  return responseMimeType === 'application/json' ? { kind: 'json' } : { kind: 'text' };
}

/** Thinking budgets in tokens, as the levels that the simulator knows. */
const BUDGETS = [
  { upTo: 1024, effort: 'low' },
  { upTo: 8192, effort: 'medium' },
  { upTo: Infinity, effort: 'high' },
] as const;

function thinkingOf({ thinkingConfig }: GenerationConfig): Pick<ChatRequest, 'effort' | 'thinking'> {
  const { thinkingBudget: budget, thinkingLevel: level } = thinkingConfig ?? {};
  if (thinkingConfig === undefined || budget === 0) return { effort: null, thinking: false };
  const ofBudget = budget === undefined || budget < 0 ? null : BUDGETS.find(({ upTo }) => budget <= upTo);
  return { effort: level?.toLowerCase() ?? ofBudget?.effort ?? null, thinking: true };
}

/** Function results become turns of their own. Thoughts that the caller sends back are ignored. */
function toTurns(
  role: 'system' | 'user' | 'assistant',
  parts: readonly Part[],
  directives: string[],
): Turn[] {
  const results = parts.flatMap(({ functionResponse: answered }) =>
    answered ? [toResultTurn(answered)] : [],
  );
  const texts = parts.flatMap(({ text, thought }) => (text === undefined || thought === true ? [] : [text]));
  const attachments = parts.filter(
    ({ inlineData, fileData }) => (inlineData ?? fileData) !== undefined,
  ).length;
  const toolCalls = parts.flatMap(({ functionCall: called }) =>
    called
      ? [{ id: called.id ?? called.name, name: called.name, arguments: JSON.stringify(called.args ?? {}) }]
      : [],
  );
  if (results.length > 0 && texts.length === 0) return results;
  const { text, directives: found } = extractDirectives(texts.join('\n'));
  directives.push(...found);
  return [...results, { role, text, attachments, toolCallId: null, toolCalls }];
}

/** A call without an id is matched with its result by the function's name. */
function toResultTurn({ id, name, response }: NonNullable<Part['functionResponse']>): Turn {
  const { content: said } = response;
  const text = typeof said === 'string' ? said : JSON.stringify(response);
  return { role: 'tool', text, attachments: 0, toolCallId: id ?? name, toolCalls: [] };
}
