import { StackError } from './errors.ts';

type Settings = Readonly<Record<string, string>>;

interface Provider {
  /** Every one of these must be set for the provider to count as configured. */
  readonly credentials: readonly string[];
  /** An address that stands in for the provider's own (a private endpoint, a gateway); LiteLLM reads it by itself. */
  readonly base?: string;
  /** A file of deploy/litellm with the models that everybody with credentials has. */
  readonly fragment?: string;
  /** A comma-separated variable with names that only its owner knows: deployments, models of a server of one's own. */
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

/** LiteLLM does not call an OpenAI-compatible server without a key, also where the server wants none, as Ollama and vLLM do. */
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

/** Parameters by reference: a key never stands in the file. */
function fromEnvironment(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).map(([parameter, name]) => [parameter, `os.environ/${name}`]),
  );
}

/** Every variable that the proxy is given if it is set. */
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
 * The addresses for the proxy's environment; empty where none is set, for one that happens to be in the shell would be sent
 * the key of this file.
 */
export function baseAddresses(settings: Settings): Record<string, string> {
  const names = Object.values(PROVIDERS).flatMap(({ base }) => base ?? []);
  return Object.fromEntries([...names, 'OPENAI_API_BASE'].map((name) => [name, settings[name] ?? '']));
}

/**
 * The proxy's config as YAML: the settings, and the models of every provider whose credentials are set;
 * without any, or with `TURNOUT_SIMULATOR=true`, the simulated ones. `fragments` is the folder of the included files.
 * Throws `StackError` when credentials are set and the names of the models are not.
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

/** Whether the bundled simulator's models are in the config, and a simulator has to run for them. */
export function usesSimulator(settings: Settings): boolean {
  return configuredProviders(settings).length === 0 || settings['TURNOUT_SIMULATOR'] === 'true';
}

/** A sentence for each provider of which only some credentials are set: it has no models then. */
export function incompleteCredentials(settings: Settings): string[] {
  return Object.values(PROVIDERS).flatMap(({ credentials }) => {
    const missing = credentials.filter((name) => !isSet(settings, name));
    if (missing.length === 0 || missing.length === credentials.length) return [];
    const given = credentials.filter((name) => isSet(settings, name));
    return [
      `${given.join(' and ')} without ${missing.join(' and ')} has no effect: the provider needs all of them`,
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
    `${credentials.join(' and ')} are set, but ${named.variable} is not: name the models, comma-separated.`,
  );
}

/** JSON is YAML; one top-level key a line keeps it readable. */
function toYaml(config: Readonly<Record<string, unknown>>): string {
  return `${Object.entries(config)
    .map(([key, value]) => `${key}: ${JSON.stringify(value, null, 2)}`)
    .join('\n')}\n`;
}
