import {
  type Response as SdkResponse,
  type ResponseError,
  type ResponseUsage,
} from 'openai/resources/responses/responses';
import { type JobError, type TokenUsage } from '../../../shared/contracts/job-event.ts';
import { type ErrorCode, errorSpec } from '../../../shared/platform/errors/catalogue.ts';
import {
  type IncompleteReason,
  type ResponseStatus,
} from '../../../shared/jobs/responses/response-status.ts';
import { type OutputItem } from './output-items.ts';
import { type ResponseSettings } from '../response-schema/request.ts';

/** What is known of a response from its beginning. */
export interface ResponseHead {
  /** `resp_...` */
  id: string;
  /** Seconds since the epoch. */
  createdAt: number;
  request: ResponseSettings;
}

/** The state of a response so far. */
export interface ResponseProgress {
  /** The model that answers, if the client left the choice to Turnout. */
  model?: string | undefined;
  status: ResponseStatus;
  output: OutputItem[];
  usage?: TokenUsage | undefined;
  error?: JobError | undefined;
  incomplete?: IncompleteReason | undefined;
  /** The context sources that the answer does without. */
  degraded?: readonly string[] | undefined;
  /** Milliseconds since the epoch; set only for a completed response. */
  completedAt?: number | undefined;
}

/** The body as it is sent: `output_text` is added by the SDKs, and `store` is missing from their type. */
export type ResponseBody = Omit<SdkResponse, 'output_text'> & { store: boolean };

/** Builds OpenAI's `response` object. Parameters that the client omitted have their default values. */
export function toResponseBody(head: ResponseHead, progress: ResponseProgress): ResponseBody {
  const { model = head.request.model } = progress;
  return {
    ...identity(head),
    model,
    ...settings(head.request),
    ...result(progress),
    ...flags(head, progress),
  };
}

function identity({ id, createdAt, request }: ResponseHead) {
  return {
    id,
    object: 'response' as const,
    created_at: createdAt,
    background: request.background ?? false,
    store: request.store ?? true,
    previous_response_id: request.previous_response_id ?? null,
    instructions: request.instructions ?? null,
    access_programs: null,
    conversation: null,
    ...(typeof request.user === 'string' ? { user: request.user } : {}),
  };
}

function settings(request: ResponseHead['request']) {
  const { text, reasoning } = request;
  const format = text?.format ?? { type: 'text' as const };
  return {
    tools: (request.tools ?? []).map(({ type, name, description, parameters, strict }) => ({
      type,
      name,
      parameters: parameters ?? null,
      strict: strict ?? null,
      ...(typeof description === 'string' ? { description } : {}),
    })),
    tool_choice: request.tool_choice ?? ('auto' as const),
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    temperature: request.temperature ?? 1,
    top_p: request.top_p ?? 1,
    top_logprobs: request.top_logprobs ?? 0,
    max_output_tokens: request.max_output_tokens ?? null,
    max_tool_calls: null,
    truncation: request.truncation ?? ('disabled' as const),
    text: { format, ...(text?.verbosity ? { verbosity: text.verbosity } : {}) } as NonNullable<
      SdkResponse['text']
    >,
    reasoning: {
      effort: reasoning?.effort ?? null,
      summary: reasoning?.summary ?? reasoning?.generate_summary ?? null,
    } as NonNullable<SdkResponse['reasoning']>,
    service_tier: (request.service_tier ?? null) as NonNullable<SdkResponse['service_tier']> | null,
    safety_identifier: request.safety_identifier ?? null,
    prompt_cache_key: request.prompt_cache_key ?? null,
    prompt_cache_retention: request.prompt_cache_retention ?? null,
    prompt: null,
  };
}

/** Stream headers are already sent when a source fails, so the metadata carry the failed sources. */
function flags({ request }: ResponseHead, { degraded = [] }: ResponseProgress) {
  const own = degraded.length === 0 ? {} : { turnout_degraded: degraded.join(',') };
  return { metadata: { ...request.metadata, ...own } };
}

function result({ status, output, usage, error, incomplete, completedAt }: ResponseProgress) {
  return {
    status,
    output,
    error: error ? toResponseError(error) : null,
    incomplete_details: incomplete ? { reason: incomplete } : null,
    completed_at: completedAt === undefined ? null : Math.floor(completedAt / 1_000),
    ...(usage ? { usage: toResponseUsage(usage) } : {}),
  };
}

/** OpenAI has few codes for a failed response, so Turnout's own code is appended to the message. */
function toResponseError({ code, message }: JobError): ResponseError {
  return { code: responseErrorCode(code), message: `${message} (${code})` };
}

function responseErrorCode(code: ErrorCode): ResponseError['code'] {
  const { type } = errorSpec(code);
  if (type === 'rate_limit_error') return 'rate_limit_exceeded';
  return type === 'invalid_request_error' ? 'invalid_prompt' : 'server_error';
}

function toResponseUsage({ prompt_tokens, completion_tokens, total_tokens, ...details }: TokenUsage) {
  return {
    input_tokens: prompt_tokens,
    input_tokens_details: {
      cached_tokens: detail(details['prompt_tokens_details'], 'cached_tokens'),
      cache_write_tokens: detail(details['prompt_tokens_details'], 'cache_creation_tokens'),
    },
    output_tokens: completion_tokens,
    output_tokens_details: {
      reasoning_tokens: detail(details['completion_tokens_details'], 'reasoning_tokens'),
    },
    total_tokens,
  } satisfies ResponseUsage;
}

function detail(details: unknown, name: string): number {
  const values = (details ?? {}) as Record<string, unknown>;
  return typeof values[name] === 'number' ? values[name] : 0;
}
