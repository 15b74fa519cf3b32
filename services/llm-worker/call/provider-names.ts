/** The four providers that the rollout guide names, in the spelling of its log phrases about missing keys. */
export const KEYED_PROVIDERS = {
  openai: 'OpenAI',
  azure: 'Azure',
  bedrock: 'Bedrock',
  gemini: 'Gemini',
} as const;

/** One deployment of a model, as LiteLLM's `/model/info` describes it. */
export interface Deployment {
  /** Usually with LiteLLM's prefix for the provider: `bedrock/amazon.nova-lite-v1:0`. */
  model: string;
  /** The provider that the configuration names instead of a prefix. */
  named?: string | null | undefined;
  /** The provider in LiteLLM's own list of models. */
  listed?: string | null | undefined;
  apiBase?: string | null | undefined;
}

/** LiteLLM's names for other interfaces of the same provider. */
const ALIASES: Readonly<Record<string, string>> = {
  'text-completion-openai': 'openai',
  azure_text: 'azure',
  azure_ai: 'azure',
  bedrock_converse: 'bedrock',
  bedrock_mantle: 'bedrock',
};

/** The deployment's provider: a key of `KEYED_PROVIDERS`, `openai-compatible`, or LiteLLM's name for any other provider. */
export function providerOf({ model, named, listed, apiBase }: Deployment): string {
  const [prefix, ...rest] = model.split('/');
  const name = named ?? (rest.length > 0 ? prefix : undefined) ?? listed ?? 'unknown';
  const provider = ALIASES[name] ?? name;
  // Gemini through Vertex uses Google's credentials, and still counts as Gemini.
  if (provider.startsWith('vertex_ai') && model.includes('gemini')) return 'gemini';
  return provider === 'openai' && isForeign(apiBase) ? 'openai-compatible' : provider;
}

/** Ollama, vLLM and the simulator speak the OpenAI API at their own addresses. */
function isForeign(apiBase: string | null | undefined): boolean {
  if (!apiBase) return false;
  const host = URL.parse(apiBase)?.hostname ?? '';
  return host !== 'openai.com' && !host.endsWith('.openai.com');
}
