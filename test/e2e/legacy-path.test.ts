import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type OpenAI from 'openai';
import { describeModelWay, type ModelWay } from '../conformance/model-way.ts';
import { callsOf, setModelKnobs } from '../faults/support/simulator.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { type AssistantFiles, createAssistantFiles } from './assistants-support.ts';
import { openaiClient } from './support.ts';

jest.setTimeout(60_000);

/** Two kinds of legacy system, with all users on it. The behaviour must be the same as through LiteLLM. */
interface Legacy {
  name: string;
  env: (upstream: string) => Record<string, string>;
  way: ModelWay;
}

const WAYS: Legacy[] = [
  {
    name: 'an OpenAI-compatible server',
    env: (upstream) => ({ LEGACY_STYLE: 'openai', LEGACY_BASE_URL: `${upstream}/v1` }),
    way: {
      provider: 'openai-compatible',
      model: 'gpt-5.4',
      upstream: 'gpt-5.4',
      badKey: 401,
      noKey: undefined,
      failed: 'Legacy Error',
    },
  },
  {
    name: 'Azure OpenAI',
    env: (upstream) => ({ LEGACY_STYLE: 'azure', LEGACY_BASE_URL: upstream }),
    way: {
      provider: 'azure',
      model: 'rail-gpt-5-mini',
      upstream: 'rail-gpt-5-mini',
      badKey: 401,
      noKey: 'No Azure key available',
      failed: 'Legacy Error',
    },
  },
];

describe.each(WAYS)('with the legacy backend', ({ name, env, way }) => {
  let services: RunningServices | undefined;

  beforeAll(async () => {
    const legacy = { ...env(testEnv().UPSTREAM_URL), LEGACY_API_KEY: 'key-of-nobody' };
    services = await startServices({ env: { ENABLE_LITELLM: 'false', ...legacy } });
  }, 120_000);
  afterAll(async () => {
    await services?.stop();
  }, 60_000);

  describeModelWay(name, way, () => {
    if (services === undefined) throw new Error('The services are not running');
    return services;
  });
});

describe('with a model that selects assistants', () => {
  let files: AssistantFiles | undefined;
  let services: RunningServices | undefined;
  let client: OpenAI;

  beforeAll(async () => {
    files = await createAssistantFiles();
    const [model, instructions] = ['turnout-sim', 'Answer briefly.'];
    // The simulator quotes the best matching sentence, which contains the assistant's name.
    for (const [name, description] of [
      ['ledger', 'The treasurer of the cooperative explains the yearly accounts'],
      ['garden', 'The gardener of the cooperative explains the pruning of apple trees'],
    ] as const)
      await files.put(name, `description: ${description}\nmodel: ${model}\ninstructions: ${instructions}`);
    const legacy = {
      ENABLE_LITELLM: 'false',
      LEGACY_ROUTER_MODEL: 'router',
      LEGACY_ROUTER_TIMEOUT_MS: '500',
    };
    services = await startServices({ env: { ...files.env, ...legacy } });
    client = openaiClient(services, { maxRetries: 0 });
  }, 120_000);
  afterAll(async () => {
    await setModelKnobs('router', {});
    await services?.stop();
    await files?.clear();
  }, 60_000);

  const ask = async (content: string) => {
    const messages = [{ role: 'user' as const, content }];
    const { data, response } = await client.chat.completions
      .create({ model: 'auto', messages }, { headers: { 'x-turnout-assistant': 'auto' } })
      .withResponse();
    const { headers } = response;
    return {
      usage: data.usage,
      assistant: headers.get('x-turnout-assistant'),
      calls: await callsOf(headers.get('x-turnout-job-id') ?? ''),
    };
  };

  test('it is called first, and the client is not billed for it', async () => {
    const { assistant, calls, usage } = await ask('When does pruning of apple trees begin?');
    expect(assistant).toBe('garden');
    expect(calls).toMatchObject([{ model: 'router' }, { model: 'turnout-sim' }]);
    const [, answering] = calls;
    expect(usage?.prompt_tokens).toBe(answering?.promptTokens);
  });

  test('if it takes too long, word similarity selects the assistant', async () => {
    await setModelKnobs('router', { ttft: 5_000 });
    const { assistant, calls } = await ask('Explain the yearly accounts');
    expect(assistant).toBe('ledger');
    expect(calls.map(({ model }) => model)).toEqual(['router', 'turnout-sim']);
  });
});
