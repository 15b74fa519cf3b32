import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { until } from '../../stack/until.ts';
import { fuzzApi } from '../fuzz/fuzz.ts';
import { randomFrom } from '../fuzz/random.ts';
import { fuzzTopics } from '../fuzz/topics.ts';
import { testEnv } from '../harness/env.ts';
import { isReady, type RunningServices, startServices } from '../harness/services.ts';
import { openaiClient } from './support.ts';

jest.setTimeout(180_000);

let services: RunningServices;

beforeAll(async () => {
  services = await startServices();
}, 90_000);

afterAll(() => services.stop(), 60_000);

test('the API answers any request with success or a typed error, and reveals no internals', async () => {
  const { TURNOUT_API_KEY: one, TURNOUT_API_KEY_2: two } = testEnv();
  const { sent, wrong } = await fuzzApi({
    url: services.url,
    keys: [one, two],
    seed: 20_261_129,
    atOnce: 8,
    more: (count) => count < 800,
  });
  expect(wrong).toEqual([]);
  expect(sent).toBeGreaterThanOrEqual(800);
});

test('all services keep working with any messages on their topics', async () => {
  await fuzzTopics(services.prefix, randomFrom(7), (sent) => sent < 300);
  const client = openaiClient(services);
  const messages = [{ role: 'user' as const, content: 'My seat is 5. What is my seat?' }];
  const { choices } = await client.chat.completions.create({ model: 'turnout-sim', messages });
  expect(choices[0]?.message.content).toContain('5');
  for (const name of ['ingress', 'router', 'llm-worker', 'context-worker', 'metrics', 'cache']) {
    expect(await until(() => isReady(services.urlOf(name)), { timeoutMs: 10_000 })).toBe(true);
  }
});
