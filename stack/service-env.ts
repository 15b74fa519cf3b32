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

/** Variables for the stack only. PORT is included because each service gets its own. */
const NOT_FOR_SERVICES = [
  ...providerVariables,
  'PORT',
  'TURNOUT_CACHE_DIR',
  'TURNOUT_MODEL',
  'TURNOUT_SIMULATOR',
];

/** The model of the example assistants, which name none, if no provider is configured. */
const SIMULATED_MODEL = 'turnout-sim';

/** A trial has no users to migrate. A real deployment begins in phase 1, with no users on LiteLLM. */
const EVERYONE_ON_LITELLM = '3';

/** The variables of all six services: the parts' addresses, the generated keys, and the settings, which override both. */
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
