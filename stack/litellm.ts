import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { repositoryRoot, type Layout } from './layout.ts';
import { baseAddresses, litellmConfig } from './litellm-config.ts';
import type { ProcessSpec } from './process.ts';

export interface LiteLlmOptions {
  /** The Python environment that LiteLLM is installed in. */
  readonly venv: string;
  readonly port: number;
  readonly masterKey: string;
  /** The upstream simulator, which serves the `turnout-sim` models. */
  readonly upstreamUrl: string;
  /** Provider credentials and model lists. They are passed to the proxy. */
  readonly settings: Readonly<Record<string, string>>;
}

const fragments = join(repositoryRoot, 'deploy', 'litellm');

/** The LiteLLM proxy, with the models of the configured providers or with the simulated ones. */
export function prepareLiteLlm(options: LiteLlmOptions, layout: Layout): ProcessSpec {
  const folder = join(layout.data, 'litellm');
  const config = join(folder, 'config.yaml');
  mkdirSync(folder, { recursive: true });
  writeFileSync(config, litellmConfig(options.settings, relative(folder, fragments)));
  const log = join(layout.logs, 'litellm.log');
  return {
    name: 'litellm',
    command: join(options.venv, 'bin', 'litellm'),
    args: ['--config', config, '--host', '127.0.0.1', '--port', String(options.port), '--num_workers', '1'],
    env: { ...options.settings, ...environment(options) },
    configFiles: [config],
    workingFolder: folder,
    port: options.port,
    health: { kind: 'http', url: `http://127.0.0.1:${options.port}/health/readiness` },
    stdout: log,
    stderr: log,
    explainedBy: [log],
    startTimeoutMs: 120_000, // Its imports take 10 s on an idle core, and several times as long on a busy one.
    stopTimeoutMs: 10_000,
  };
}

function environment(options: LiteLlmOptions): Record<string, string> {
  return {
    ...baseAddresses(options.settings),
    LITELLM_MASTER_KEY: options.masterKey,
    UPSTREAM_BASE_URL: `${options.upstreamUrl}/v1`,
    LITELLM_LOCAL_MODEL_COST_MAP: 'True', // Otherwise it fetches the price list from the web at every start.
    LITELLM_MODE: 'PRODUCTION', // Otherwise it reads a .env of its own.
    LITELLM_TELEMETRY: 'False',
    LITELLM_LOG: 'WARNING',
    LITELLM_DONT_SHOW_FEEDBACK_BOX: 'true',
    DISABLE_ADMIN_UI: 'True',
    NO_COLOR: '1',
    PYTHONUNBUFFERED: '1',
    // A proxy that the shell sets must not be used between LiteLLM and the simulator on this machine.
    NO_PROXY: ['127.0.0.1', 'localhost', process.env['NO_PROXY'] ?? ''].filter(Boolean).join(','),
  };
}
