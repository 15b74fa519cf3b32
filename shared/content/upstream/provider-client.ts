import OpenAI, { AzureOpenAI } from 'openai';
import { type Config } from '../../platform/config/schema.ts';

/** How a server that speaks OpenAI's protocol is reached. */
export interface ProviderAddress {
  /** For `azure` the resource's address: `https://NAME.openai.azure.com`. */
  baseURL: string;
  apiKey: string;
  style: 'openai' | 'azure';
  /** Azure's alone. */
  apiVersion?: string;
}

/** No retries here: one layer owns them. */
export function createProviderClient({ baseURL, apiKey, style, apiVersion }: ProviderAddress): OpenAI {
  const common = { apiKey, maxRetries: 0, logLevel: 'off' } as const;
  if (style === 'openai') return new OpenAI({ ...common, baseURL });
  // The model names the deployment, in the address.
  return new AzureOpenAI({ ...common, endpoint: baseURL, apiVersion });
}

type LegacyConfig = Pick<
  Config,
  'LEGACY_BASE_URL' | 'LEGACY_API_KEY' | 'LEGACY_STYLE' | 'LEGACY_API_VERSION'
>;

/** Undefined where there is no legacy path. */
export function legacyAddress(config: LegacyConfig): ProviderAddress | undefined {
  if (!config.LEGACY_BASE_URL) return undefined;
  const { LEGACY_BASE_URL: baseURL, LEGACY_API_KEY: apiKey = 'none', LEGACY_STYLE: style } = config;
  return { baseURL, apiKey, style, apiVersion: config.LEGACY_API_VERSION };
}
