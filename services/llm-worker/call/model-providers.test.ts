import { afterEach, expect, test } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { createCallLog } from './call-log.ts';
import { type CallReport } from './model-call.ts';
import { type DeployedModel, type ModelProviders, watchModelProviders } from './model-providers.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

let lines: { msg?: string }[] = [];
const log = pino({ base: null }, { write: (line) => void lines.push(JSON.parse(line) as object) });
let providers: ModelProviders | undefined;

afterEach(() => {
  providers?.close();
  lines = [];
});

const openai = { name: 'small', model: 'openai/gpt-5-mini' };
const azure = { name: 'chat', model: 'azure/chat' };
const bedrock = { name: 'claude', model: 'bedrock/claude' };
const gemini = { name: 'flash', model: 'gemini/flash' };
const simulated = { name: 'turnout-sim', model: 'openai/turnout-sim', apiBase: 'http://127.0.0.1:8070/v1' };

async function watch(fetchModels: () => Promise<DeployedModel[]>): Promise<ModelProviders> {
  providers = watchModelProviders({ fetchModels, log, maxWaitMs: 1 });
  while (providers.of(openai.name) === undefined && providers.of(simulated.name) === undefined) await turn();
  return providers;
}

const messages = () => lines.map(({ msg }) => msg);

test('each of the four providers without a model is logged once, with the phrase of the rollout guide', async () => {
  await watch(() => Promise.resolve([simulated]));
  expect(messages()).toEqual([
    'No OpenAI key available',
    'No Azure key available',
    'No Bedrock key available',
    'No Gemini key available',
  ]);
});

test('providers that have models are not logged', async () => {
  await watch(() => Promise.resolve([openai, azure, gemini]));
  expect(lines).toMatchObject([{ msg: 'No Bedrock key available', provider: 'bedrock' }]);
});

test('a proxy that is down at start-up delays nothing and is asked until it answers', async () => {
  let tries = 0;
  const found = await watch(() => {
    tries += 1;
    return tries < 4 ? Promise.reject(new Error('away')) : Promise.resolve([openai, azure, bedrock, gemini]);
  });
  expect(tries).toBe(4);
  expect(found.of('claude')).toBe('bedrock');
  expect(messages()).toEqual([]);
});

test('a model with deployments at several providers lists them all', async () => {
  const found = await watch(() => Promise.resolve([openai, { ...azure, name: 'small' }]));
  expect(found.of('small')).toBe('openai,azure');
  expect(found.of('nobody')).toBeUndefined();
});

function failed(failure: TurnoutError): CallReport {
  return { failure, reached: true, usage: undefined, ms: 7, firstTokenMs: undefined, callId: 'c' };
}

const [FLASH, SMALL] = [
  { backend: 'litellm', model: 'flash' },
  { backend: 'legacy', model: 'small' },
] as const;

test('a failed call is logged with its provider; missing credentials name the provider and never the key', () => {
  const calls = createCallLog(log, { litellm: { of: () => 'gemini' }, legacy: undefined });
  calls.ended('job_1', FLASH, failed(new TurnoutError('upstream_failed')));
  const cause = new Error('key AIza-secret of the project');
  calls.ended('job_1', FLASH, failed(new TurnoutError('upstream_auth', { cause })));
  expect(lines).toMatchObject([
    { msg: 'LiteLLM Error', provider: 'gemini', code: 'upstream_failed', retryable: true },
    { msg: 'LiteLLM Error', provider: 'gemini', code: 'upstream_auth', retryable: false },
    {
      msg: 'No Gemini key available',
      provider: 'gemini',
      model: 'flash',
      code: 'upstream_auth',
      jobId: 'job_1',
    },
  ]);
  expect(JSON.stringify(lines)).not.toContain('secret');
});

test('a failed legacy call is logged with the legacy provider, not with a provider of the proxy', () => {
  const calls = createCallLog(log, { litellm: { of: () => 'openai' }, legacy: 'azure' });
  calls.ended('job_1', SMALL, failed(new TurnoutError('upstream_auth')));
  expect(lines).toMatchObject([
    { msg: 'Legacy Error', provider: 'azure', code: 'upstream_auth' },
    { msg: 'No Azure key available', provider: 'azure' },
  ]);
});
