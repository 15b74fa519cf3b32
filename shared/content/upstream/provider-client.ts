import OpenAI, { AzureOpenAI } from 'openai';
import { type Config } from '../../platform/config/schema.ts';

/** How to reach a server with an OpenAI-compatible API. */
export interface ProviderAddress {
  /** For `azure`, the resource's URL: `https://NAME.openai.azure.com`. */
  baseURL: string;
  apiKey: string;
  style: 'openai' | 'azure';
  /** Only for `azure`. */
  apiVersion?: string;
}

/** The client does not retry; the caller does. */
export function createProviderClient({ baseURL, apiKey, style, apiVersion }: ProviderAddress): OpenAI {
  const common = { apiKey, maxRetries: 0, logLevel: 'off' } as const;
  if (style === 'openai') return new OpenAI({ ...common, baseURL });
  // Azure's client puts the model into the URL as the deployment.
  return new AzureOpenAI({ ...common, endpoint: baseURL, apiVersion });
}

type LegacyConfig = Pick<
  Config,
  'LEGACY_BASE_URL' | 'LEGACY_API_KEY' | 'LEGACY_STYLE' | 'LEGACY_API_VERSION'
>;

/** Undefined when no legacy backend is configured. */
export function legacyAddress(config: LegacyConfig): ProviderAddress | undefined {
  if (!config.LEGACY_BASE_URL) return undefined;
  const { LEGACY_BASE_URL: baseURL, LEGACY_API_KEY: apiKey = 'none', LEGACY_STYLE: style } = config;
  return { baseURL, apiKey, style, apiVersion: config.LEGACY_API_VERSION };
}
