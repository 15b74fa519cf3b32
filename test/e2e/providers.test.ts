import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { describeModelWay, workerLines } from '../conformance/model-way.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { startSystem, type System } from '../harness/system.ts';

jest.setTimeout(60_000);

/** The four providers as a team configures them, each with its own wire format behind the real LiteLLM. */
const PROVIDERS = [
  { name: 'OpenAI', provider: 'openai', model: 'gpt-5.4', upstream: 'gpt-5.4', badKey: 401 },
  { name: 'Azure', provider: 'azure', model: 'rail-gpt-5-mini', upstream: 'rail-gpt-5-mini', badKey: 401 },
  {
    name: 'Bedrock',
    provider: 'bedrock',
    model: 'claude-sonnet',
    upstream: 'global.anthropic.claude-sonnet-4-6',
    badKey: 403,
  },
  {
    name: 'Gemini',
    provider: 'gemini',
    model: 'gemini-2.5-flash',
    upstream: 'gemini-2.5-flash',
    badKey: 400,
  },
] as const;

function credentials(upstream: string): Record<string, string> {
  return {
    OPENAI_API_KEY: 'sk-of-nobody',
    OPENAI_BASE_URL: `${upstream}/v1`,
    AZURE_API_KEY: 'key-of-nobody',
    AZURE_API_BASE: upstream,
    AZURE_API_VERSION: '2025-04-01-preview',
    AZURE_DEPLOYMENTS: 'rail-gpt-5-mini',
    AWS_ACCESS_KEY_ID: 'AKIAOFNOBODY',
    AWS_SECRET_ACCESS_KEY: 'secret-of-nobody',
    AWS_REGION_NAME: 'eu-central-1',
    AWS_BEDROCK_RUNTIME_ENDPOINT: upstream,
    GEMINI_API_KEY: 'key-of-nobody',
    GEMINI_API_BASE: `${upstream}/v1beta`,
  };
}

let proxy: System | undefined;
let services: RunningServices | undefined;

beforeAll(async () => {
  proxy = await startSystem({ parts: ['litellm'], settings: credentials(testEnv().UPSTREAM_URL) });
  const { LITELLM_URL = '', LITELLM_MASTER_KEY = '' } = proxy.env;
  services = await startServices({ env: { LITELLM_URL, LITELLM_MASTER_KEY } });
}, 240_000);

afterAll(async () => {
  await services?.stop();
  await proxy?.stop();
}, 60_000);

const running = (): RunningServices => {
  if (services === undefined) throw new Error('The services are not running');
  return services;
};

for (const { name, ...way } of PROVIDERS)
  describeModelWay(
    `through LiteLLM, ${name}`,
    { ...way, noKey: `No ${name} key available`, failed: 'LiteLLM Error' },
    running,
  );

test('no missing key is logged at start if every provider has models', () => {
  const said = workerLines(running()).filter(({ msg }) => /^No \w+ key available$/.test(String(msg)));
  expect(said.filter(({ jobId }) => jobId === undefined)).toEqual([]);
});
