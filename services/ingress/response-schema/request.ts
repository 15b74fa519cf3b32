import { z } from 'zod';
import { metadata, tokenLimit, toolName } from '../../../shared/contracts/chat-request.ts';
import { unsupported } from '../http/validation.ts';
import { inputItem } from './input-items.ts';

/**
 * The body of OpenAI's `POST /v1/responses`, limited to what works for any model behind LiteLLM. Any other parameter is a typed
 * 400 that names it, so no requested feature is silently dropped.
 */
const functionTool = z.strictObject({
  type: z.literal('function', { error: "must be 'function', the only supported tool type" }),
  name: toolName,
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish(),
});
export type FunctionTool = z.infer<typeof functionTool>;

const namedFunction = z.strictObject({ type: z.literal('function'), name: z.string().min(1) });
const toolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  namedFunction,
  z.strictObject({
    type: z.literal('allowed_tools'),
    mode: z.enum(['auto', 'required']),
    tools: z.array(namedFunction).min(1),
  }),
]);

const textFormat = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    name: toolName,
    description: z.string().optional(),
    schema: z.record(z.string(), z.unknown()),
    strict: z.boolean().nullish(),
  }),
]);

const summary = z.enum(['auto', 'concise', 'detailed']).nullish();

/**
 * The values of OpenAI's `include` that have no effect here: the data is always in the answer, or concerns only OpenAI's built-in
 * tools.
 */
const include = z.enum(['reasoning.encrypted_content', 'message.output_text.logprobs']);

const parameters = z.strictObject({
  model: z.string().min(1).max(200),
  input: z.union([z.string(), z.array(inputItem).min(1).max(10_000)]),
  instructions: z.string().nullish(),
  previous_response_id: z.string().min(1).max(100).nullish(),

  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_obfuscation: z.boolean().optional() }).nullish(),
  background: z.boolean().nullish(),
  store: z.boolean().nullish(),
  metadata,
  include: z.array(include).nullish(),

  tools: z.array(functionTool).max(128).nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  text: z
    .strictObject({ format: textFormat.optional(), verbosity: z.enum(['low', 'medium', 'high']).nullish() })
    .nullish(),
  reasoning: z
    .strictObject({ effort: z.string().max(20).nullish(), summary, generate_summary: summary })
    .nullish(),

  max_output_tokens: tokenLimit.nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  truncation: z.enum(['auto', 'disabled']).nullish(),
  user: z.string().max(512).nullish(),
  service_tier: z.string().max(40).nullish(),
  safety_identifier: z.string().max(512).nullish(),
  prompt_cache_key: z.string().max(512).nullish(),
  prompt_cache_retention: z.enum(['in_memory', '24h']).nullish(),

  prompt: unsupported("prompt templates are not available; use 'instructions' and 'input'"),
  conversation: unsupported("use 'previous_response_id' instead"),
  max_tool_calls: unsupported('there are no built-in tools to limit'),
  context_management: unsupported("context compaction is not available; use 'truncation'"),
  prompt_cache_options: unsupported("use 'prompt_cache_key' instead"),
  image: unsupported('only text output is available'),
  moderation: unsupported('moderation is not available'),
  access_programs: unsupported("it applies only to OpenAI's own service"),
});

/** Checks combinations of parameters, which their own schemas cannot see. */
export const responseRequest = parameters.superRefine((request, context) => {
  if (request.background && request.store === false)
    context.addIssue({
      code: 'custom',
      path: ['store'],
      message: 'must not be false for a background response',
    });
  if (request.tool_choice === 'required' && !request.tools?.length)
    context.addIssue({
      code: 'custom',
      path: ['tool_choice'],
      message: "'required' needs at least one entry in 'tools'",
    });
  const names = new Set(request.tools?.map(({ name }) => name));
  for (const [at, name] of chosenTools(request.tool_choice).entries()) {
    if (!names.has(name))
      context.addIssue({
        code: 'custom',
        path: ['tool_choice'],
        message: `tool ${at + 1} of the choice, '${name.slice(0, 64)}', is not defined in 'tools'`,
      });
  }
});
export type ResponseRequest = z.infer<typeof responseRequest>;

/** The request parameters that a response repeats: all except its input. */
export const responseSettings = z.object(parameters.shape).omit({ input: true });
export type ResponseSettings = z.infer<typeof responseSettings>;

function chosenTools(choice: z.infer<typeof toolChoice> | null | undefined): string[] {
  if (choice === null || choice === undefined || typeof choice === 'string') return [];
  return choice.type === 'function' ? [choice.name] : choice.tools.map(({ name }) => name);
}
