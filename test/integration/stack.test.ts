import { describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import OpenAI from 'openai';
import { isHealthy } from '../../stack/health.ts';
import { testEnv } from '../harness/env.ts';

describe('the embedded stack', () => {
  test('the broker answers requests', async () => {
    const [, port] = testEnv().KAFKA_BROKERS.split(':');
    expect(await isHealthy({ kind: 'kafka', port: Number(port) })).toBe(true);
  });

  test('the job Redis never evicts and syncs every write; the cache’s Redis evicts and does not persist', async () => {
    expect(await settings(testEnv().REDIS_URL)).toMatchObject({
      'maxmemory-policy': 'noeviction',
      appendonly: 'yes',
      appendfsync: 'always',
    });
    // Evicts only keys with an expiry: the cache's counters must not disappear before the entries.
    expect(await settings(testEnv().CACHE_REDIS_URL)).toMatchObject({
      'maxmemory-policy': 'volatile-lru',
      appendonly: 'no',
      save: '',
    });
  });

  test('LiteLLM lists the simulated models with their context windows and prices', async () => {
    const { LITELLM_URL, LITELLM_MASTER_KEY } = testEnv();
    const headers = { authorization: `Bearer ${LITELLM_MASTER_KEY}` };
    const response = await fetch(`${LITELLM_URL}/model/info`, { headers });
    const { data } = (await response.json()) as {
      data: { model_name: string; model_info: Record<string, unknown> }[];
    };
    const prefill = data.find((model) => model.model_name === 'turnout-sim-prefill');
    expect(prefill?.model_info).toMatchObject({
      supports_assistant_prefill: true,
      max_input_tokens: 128_000,
    });
    const reasoner = data.find((model) => model.model_name === 'turnout-sim-reasoner');
    expect(reasoner?.model_info).toMatchObject({
      supports_assistant_prefill: false,
      input_cost_per_token: 0.000001,
    });
    const models = await fetch(`${LITELLM_URL}/v1/models`, { headers });
    expect(await models.text()).toContain('text-embedding-sim');
  });

  test('LiteLLM passes x- headers on to the provider, and adds the cost to the usage of a stream', async () => {
    const { LITELLM_URL, LITELLM_MASTER_KEY, UPSTREAM_URL } = testEnv();
    const client = new OpenAI({ baseURL: `${LITELLM_URL}/v1`, apiKey: LITELLM_MASTER_KEY, maxRetries: 0 });
    const jobId = `job_${randomUUID()}`;
    const headers = { 'x-turnout-job-id': jobId, 'x-sim': 'tokens=5' };
    const messages = [{ role: 'user' as const, content: 'What is a railway turnout?' }];
    const stream_options = { include_usage: true };
    const stream = await client.chat.completions.create(
      { model: 'turnout-sim', stream: true, stream_options, messages },
      { headers },
    );
    let last: OpenAI.ChatCompletionChunk | undefined;
    for await (const chunk of stream) last = chunk;
    expect(last?.usage).toMatchObject({ completion_tokens: 5, cost: expect.any(Number) });
    const ledger = (await (await fetch(`${UPSTREAM_URL}/sim/ledger?job=${jobId}`)).json()) as {
      jobs: object;
    };
    expect(ledger.jobs).toMatchObject({ [jobId]: [{ model: 'turnout-sim', outcome: 'completed' }] });
  });
});

async function settings(url: string): Promise<Record<string, string>> {
  const redis = new Redis(url);
  const names = ['maxmemory-policy', 'appendonly', 'appendfsync', 'save'];
  const answers = await Promise.all(names.map((name) => redis.config('GET', name)));
  await redis.quit();
  return Object.fromEntries(answers as [string, string][]);
}
