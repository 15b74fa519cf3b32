import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { toFile } from 'openai';
import type OpenAI from 'openai';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { failureOf, openaiClient } from './support.ts';

jest.setTimeout(240_000);

const FACT = 'The night train to Ostheim leaves from platform 11.';
const PAGE = Buffer.from(`<p>${FACT}</p>`);
const NESTED = Buffer.from('<div>'.repeat(200_000));
/** Uses up the whole processor time limit of one document. */
const SLOW = Buffer.from('<table><tr><td colspan=1000000>x</td></tr></table>'.repeat(3));
const MANY = 12;

let services: RunningServices;
let attacker: OpenAI;
let other: OpenAI;

beforeAll(async () => {
  const only = ['ingress', 'router', 'context-worker', 'llm-worker'] as const;
  const env = { EXTRACT_CPU_MS: '3000', EXTRACT_MEMORY_MB: '1024', EXTRACT_CONCURRENCY: '1' };
  services = await startServices({ only: [...only], env });
  attacker = openaiClient(services, { maxRetries: 0 });
  other = openaiClient(services, { apiKey: testEnv().TURNOUT_API_KEY_2, maxRetries: 0 });
}, 120_000);
afterAll(() => services.stop());

function ask(client: OpenAI, page: Buffer, signal?: AbortSignal) {
  const file = { filename: 'page.html', file_data: page.toString('base64') };
  const text = 'From which platform does the night train to Ostheim leave?';
  const content = [
    { type: 'text' as const, text },
    { type: 'file' as const, file },
  ];
  return client.chat.completions.create(
    { model: 'turnout-sim', messages: [{ role: 'user', content }] },
    { signal },
  );
}

const upload = async (client: OpenAI, page: Buffer) =>
  client.files.create({ file: await toFile(page, 'page.html'), purpose: 'user_data' });
const statusOf = async (client: OpenAI, { id }: { id: string }) =>
  (await client.files.retrieve(id)) as { status: string; status_details?: string };
const times = <T>(work: () => Promise<T>) => Promise.all(Array.from({ length: MANY }, work));

async function becomes(status: string, client: OpenAI, file: { id: string }): Promise<void> {
  const is = async () => (await statusOf(client, file)).status === status;
  expect(await until(is, { timeoutMs: 120_000, everyMs: 50 })).toBe(true);
}

test('pages of 200,000 nested elements are refused, uploaded and inline', async () => {
  const files = await times(() => upload(attacker, NESTED));
  for (const file of files) {
    await becomes('error', attacker, file);
    expect(await statusOf(attacker, file)).toMatchObject({
      status_details: expect.stringMatching(/nested too deeply/),
    });
  }
  const failures = await times(() => failureOf(ask(attacker, NESTED)));
  for (const failure of failures) expect(failure).toMatchObject({ code: 'unsupported_document' });
});

test('one user’s page is read before the many slow documents that another user uploaded earlier', async () => {
  const slow = await times(() => upload(attacker, SLOW));
  await becomes('processed', other, await upload(other, PAGE));
  const standing = await Promise.all(slow.map((file) => statusOf(attacker, file)));
  expect(standing.filter(({ status }) => status === 'uploaded').length).toBeGreaterThan(MANY / 2);
  await Promise.all(slow.map(({ id }) => attacker.files.delete(id)));
});

test("one user's question about a page is answered before the slow ones that another user asked earlier", async () => {
  const controller = new AbortController();
  let open = MANY;
  const slow = times(() =>
    ask(attacker, SLOW, controller.signal)
      .catch(() => undefined)
      .finally(() => (open -= 1)),
  );
  const answer = await ask(other, PAGE);
  expect(answer.choices[0]?.message.content).toContain('platform 11');
  expect(open).toBeGreaterThan(MANY / 2);
  controller.abort();
  await slow;
});
