import { join } from 'node:path';
import { addresses, type InfrastructureOptions } from './infrastructure.ts';
import { providerVariables } from './litellm-config.ts';
import type { Secrets } from './secrets.ts';
import { omit, type Settings } from './settings.ts';

export interface ServiceEnvOptions extends Pick<
  InfrastructureOptions,
  'layout' | 'ports' | 'parts' | 'secrets'
> {
  readonly apiKeysFile: string;
  readonly settings: Settings;
}

/** Variables that speak to the stack, not to the services; each service gets its own PORT. */
const NOT_FOR_SERVICES = [
  ...providerVariables,
  'PORT',
  'TURNOUT_CACHE_DIR',
  'TURNOUT_MODEL',
  'TURNOUT_SIMULATOR',
];

/** Answers for the example assistants, which name no model, where no provider does. */
const SIMULATED_MODEL = 'turnout-sim';

/** Whoever tries Turnout has no users to move yet; a deployment begins in phase 1, with nobody on LiteLLM. */
const EVERYONE_ON_LITELLM = '3';

/** What all six services are started with: the addresses of the parts, the generated keys, and the settings over both. */
export function serviceEnv(options: ServiceEnvOptions): Record<string, string> {
  return {
    ...omit(addresses(options), ['UPSTREAM_URL']),
    ...generated(options.secrets),
    API_KEYS_FILE: options.apiKeysFile,
    BLOB_DIR: join(options.layout.data, 'blobs'),
    POLICY_FILE: 'deploy/policy.yaml',
    MIGRATION_PHASE: EVERYONE_ON_LITELLM,
    ...(options.parts.has('upstream') ? { ASSISTANT_DEFAULT_MODEL: SIMULATED_MODEL } : {}),
    ...omit(options.settings, NOT_FOR_SERVICES),
  };
}

function generated(secrets: Secrets): Record<string, string> {
  return { TURNOUT_SECRET: secrets.turnoutSecret, TURNOUT_ADMIN_KEY: secrets.adminKey };
}
