/** The four providers that the rollout guide names; a log line about the key of one has it in this spelling. */
export const KEYED_PROVIDERS = {
  openai: 'OpenAI',
  azure: 'Azure',
  bedrock: 'Bedrock',
  gemini: 'Gemini',
} as const;

/** One deployment of a model, as LiteLLM's `/model/info` tells of it. */
export interface Deployment {
  /** With LiteLLM's prefix for the provider, as a rule: `bedrock/amazon.nova-lite-v1:0`. */
  model: string;
  /** What the configuration says in the prefix's place. */
  named?: string | null | undefined;
  /** What LiteLLM's own list of models says. */
  listed?: string | null | undefined;
  apiBase?: string | null | undefined;
}

/** LiteLLM's names for the same provider by way of another of its interfaces. */
const ALIASES: Readonly<Record<string, string>> = {
  'text-completion-openai': 'openai',
  azure_text: 'azure',
  azure_ai: 'azure',
  bedrock_converse: 'bedrock',
  bedrock_mantle: 'bedrock',
};

/** Whose model that is: a key of `KEYED_PROVIDERS`, `openai-compatible`, or LiteLLM's name for any other. */
export function providerOf({ model, named, listed, apiBase }: Deployment): string {
  const [prefix, ...rest] = model.split('/');
  const told = named ?? (rest.length > 0 ? prefix : undefined) ?? listed ?? 'unknown';
  const provider = ALIASES[told] ?? told;
  // Gemini by way of Vertex has Google's credentials, and stands for Gemini all the same.
  if (provider.startsWith('vertex_ai') && model.includes('gemini')) return 'gemini';
  return provider === 'openai' && isForeign(apiBase) ? 'openai-compatible' : provider;
}

/** Ollama, vLLM and the simulator are reached as if they were OpenAI, at an address of their own. */
function isForeign(apiBase: string | null | undefined): boolean {
  if (!apiBase) return false;
  const host = URL.parse(apiBase)?.hostname ?? '';
  return host !== 'openai.com' && !host.endsWith('.openai.com');
}
