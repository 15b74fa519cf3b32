import { StackError } from './errors.ts';

type Settings = Readonly<Record<string, string>>;

interface Provider {
  /** The provider counts as configured if all of these are set. */
  readonly credentials: readonly string[];
  /** The variable of an address that replaces the provider's own, e.g. a private endpoint or a gateway. LiteLLM reads it itself. */
  readonly base?: string;
  /** A file of deploy/litellm with the models that are available to everyone who has credentials. */
  readonly fragment?: string;
  /** A comma-separated variable with names that only the user knows: deployments, or models of a server of their own. */
  readonly named?: { readonly variable: string; entry(name: string, settings: Settings): object };
}

const PROVIDERS: Readonly<Record<string, Provider>> = {
  openai: { credentials: ['OPENAI_API_KEY'], base: 'OPENAI_BASE_URL', fragment: 'openai.yaml' },
  gemini: { credentials: ['GEMINI_API_KEY'], base: 'GEMINI_API_BASE', fragment: 'gemini.yaml' },
  bedrock: {
    credentials: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_REGION_NAME'],
    base: 'AWS_BEDROCK_RUNTIME_ENDPOINT',
    fragment: 'bedrock.yaml',
  },
  azure: {
    credentials: ['AZURE_API_KEY', 'AZURE_API_BASE', 'AZURE_API_VERSION'],
    named: { variable: 'AZURE_DEPLOYMENTS', entry: azureDeployment },
  },
  'openai-compatible': {
    credentials: ['OPENAI_COMPATIBLE_BASE_URL'],
    named: { variable: 'OPENAI_COMPATIBLE_MODELS', entry: compatibleModel },
  },
};

function azureDeployment(name: string): object {
  const access = fromEnvironment({
    api_key: 'AZURE_API_KEY',
    api_base: 'AZURE_API_BASE',
    api_version: 'AZURE_API_VERSION',
  });
  return { model_name: name, litellm_params: { model: `azure/${name}`, ...access } };
}

/** LiteLLM calls an OpenAI-compatible server only with a key, even if the server needs none, like Ollama and vLLM. */
const NO_KEY = 'none';

function compatibleModel(name: string, settings: Settings): object {
  const access = {
    api_key: NO_KEY,
    ...fromEnvironment({
      ...(isSet(settings, 'OPENAI_COMPATIBLE_API_KEY') ? { api_key: 'OPENAI_COMPATIBLE_API_KEY' } : {}),
      api_base: 'OPENAI_COMPATIBLE_BASE_URL',
    }),
  };
  return { model_name: name, litellm_params: { model: `openai/${name}`, ...access } };
}

/** Parameters that refer to environment variables, so that the file contains no key. */
function fromEnvironment(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).map(([parameter, name]) => [parameter, `os.environ/${name}`]),
  );
}

/** Every variable that is passed to the proxy if it is set. */
export const providerVariables: readonly string[] = [
  ...Object.values(PROVIDERS).flatMap(({ credentials, base, named }) => [
    ...credentials,
    ...(base ? [base] : []),
    ...(named ? [named.variable] : []),
  ]),
  'OPENAI_COMPATIBLE_API_KEY',
  'AWS_SESSION_TOKEN',
];

/**
 * The addresses for the proxy's environment. Those that the settings do not name are set to empty: otherwise an address that happens
 * to be in the shell would receive the key of the settings.
 */
export function baseAddresses(settings: Settings): Record<string, string> {
  const names = Object.values(PROVIDERS).flatMap(({ base }) => base ?? []);
  return Object.fromEntries([...names, 'OPENAI_API_BASE'].map((name) => [name, settings[name] ?? '']));
}

/**
 * The proxy's config as YAML: the settings, and the models of every provider whose credentials are set. Without credentials, or with
 * `TURNOUT_SIMULATOR=true`, it includes the simulated models. `fragments` is the folder of the included files.
 * Throws `StackError` if credentials are set, but not the names of the models.
 */
export function litellmConfig(settings: Settings, fragments: string): string {
  const configured = configuredProviders(settings);
  const simulated = usesSimulator(settings);
  const files = [
    'settings.yaml',
    ...(simulated ? ['simulator.yaml'] : []),
    ...configured.flatMap((provider) => provider.fragment ?? []),
  ];
  const models = configured.flatMap((provider) => namedModels(provider, settings));
  return toYaml({ include: files.map((file) => `${fragments}/${file}`), model_list: models });
}

/** Whether the config includes the simulated models, so that the simulator has to run. */
export function usesSimulator(settings: Settings): boolean {
  return configuredProviders(settings).length === 0 || settings['TURNOUT_SIMULATOR'] === 'true';
}

/** A warning for each provider whose credentials are incomplete: its models are not in the config. */
export function incompleteCredentials(settings: Settings): string[] {
  return Object.values(PROVIDERS).flatMap(({ credentials }) => {
    const missing = credentials.filter((name) => !isSet(settings, name));
    if (missing.length === 0 || missing.length === credentials.length) return [];
    const given = credentials.filter((name) => isSet(settings, name));
    return [
      `${given.join(' and ')} ${given.length === 1 ? 'has' : 'have'} no effect without ${missing.join(' and ')}: the provider needs all of them`,
    ];
  });
}

function configuredProviders(settings: Settings): Provider[] {
  return Object.values(PROVIDERS).filter(({ credentials }) =>
    credentials.every((name) => isSet(settings, name)),
  );
}

const isSet = (settings: Settings, name: string): boolean => (settings[name] ?? '') !== '';

function namedModels({ named, credentials }: Provider, settings: Settings): object[] {
  if (named === undefined) return [];
  const names = (settings[named.variable] ?? '').split(',').flatMap((name) => name.trim() || []);
  if (names.length > 0) return names.map((name) => named.entry(name, settings));
  throw new StackError(
    `${credentials.join(' and ')} ${credentials.length === 1 ? 'is' : 'are'} set, but ${named.variable} is not. Set it to the names of the models, separated by commas.`,
  );
}

/** JSON is valid YAML. Each top-level key begins a line, for readability. */
function toYaml(config: Readonly<Record<string, unknown>>): string {
  return `${Object.entries(config)
    .map(([key, value]) => `${key}: ${JSON.stringify(value, null, 2)}`)
    .join('\n')}\n`;
}
