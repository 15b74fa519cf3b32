import { unknownParameter, unsupportedParameter } from '../http/validation.ts';

/** OpenAI's chat completion parameters that LiteLLM or Turnout supports. */
const SERVED = [
  'model',
  'messages',
  'frequency_penalty',
  'logit_bias',
  'logprobs',
  'max_completion_tokens',
  'max_tokens',
  'metadata',
  'modalities',
  'n',
  'parallel_tool_calls',
  'prediction',
  'presence_penalty',
  'prompt_cache_key',
  'prompt_cache_retention',
  'reasoning_effort',
  'response_format',
  'safety_identifier',
  'seed',
  'service_tier',
  'stop',
  'store',
  'stream',
  'stream_options',
  'temperature',
  'tool_choice',
  'tools',
  'top_logprobs',
  'top_p',
  'user',
  'verbosity',
] as const;

/** Parameters of other providers that LiteLLM passes on. `PASS_PARAMETERS` extends this list. */
const PASSED_ON = [
  'cached_content',
  'chat_template_kwargs',
  'enable_thinking',
  'guided_choice',
  'guided_grammar',
  'guided_json',
  'guided_regex',
  'keep_alive',
  'length_penalty',
  'min_p',
  'min_tokens',
  'num_ctx',
  'repetition_penalty',
  'safety_settings',
  'thinking',
  'top_a',
  'top_k',
] as const;

/** OpenAI parameters whose results the job log's events cannot represent, each with the reason that the client gets. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  audio: 'only text output is available',
  functions: "use 'tools' instead",
  function_call: "use 'tool_choice' instead",
  web_search_options: 'web search is not available',
};

/**
 * Rejects parameters that would be dropped silently, and those that would control the proxy instead of the model (`api_base`,
 * `mock_response`). Throws `unknown_parameter` or `unsupported_parameter` with the parameter's name.
 */
export function createParameterCheck(
  passed: readonly string[],
): (body: Readonly<Record<string, unknown>>) => void {
  const known: ReadonlySet<string> = new Set([...SERVED, ...PASSED_ON, ...passed]);
  return (body) => {
    for (const [name, value] of Object.entries(body)) {
      if (known.has(name) || value === null) continue;
      const reason = Object.hasOwn(UNSUPPORTED, name) ? UNSUPPORTED[name] : undefined;
      throw reason === undefined ? unknownParameter(name) : unsupportedParameter(name, reason);
    }
    const { modalities } = body;
    if (Array.isArray(modalities) && modalities.some((modality) => modality !== 'text'))
      throw unsupportedParameter('modalities', 'only text output is available');
  };
}
