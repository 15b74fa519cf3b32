import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toFile } from 'openai';
import type OpenAI from 'openai';
import { until } from '../../stack/until.ts';
import { setModelKnobs } from '../faults/support/simulator.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { layoutOfServices } from '../harness/state.ts';
import { openaiClient, textFile, upstreamCalls } from './support.ts';

jest.setTimeout(60_000);

const MODEL = 'text-embedding-sim';
const FACT = 'The night train to Ostheim leaves from platform 11.';
const QUESTION = 'From which platform does the night train to Ostheim leave?';
const FILLER = Array.from({ length: 900 }, (_, n) => `Signal box ${n} was quiet that day.`).join(' ');
/** About 12,000 tokens, of which only a part fits. */
const LONG = `${FILLER}\n\n${FACT}\n\n${FILLER}`;

let services: RunningServices;
let client: OpenAI;

beforeAll(async () => {
  services = await startServices({
    env: { EMBEDDING_MODEL: MODEL, EMBEDDING_TIMEOUT_MS: '500' },
    only: ['ingress', 'router', 'context-worker', 'llm-worker'],
  });
  client = openaiClient(services, { maxRetries: 0 });
}, 60_000);
afterEach(() => setEmbeddings({}));
afterAll(() => services.stop());

/** Sets how the simulated embeddings behave. */
const setEmbeddings = (knobs: object): Promise<void> => setModelKnobs(MODEL, knobs);

async function ask(file: ReturnType<typeof textFile> | { type: 'file'; file: { file_id: string } }) {
  const content = [{ type: 'text' as const, text: QUESTION }, file];
  const { data, response } = await client.chat.completions
    .create({ model: 'turnout-sim', messages: [{ role: 'user', content }] })
    .withResponse();
  const jobId = response.headers.get('x-turnout-job-id') ?? '';
  const calls = (await upstreamCalls(jobId)).filter(({ kind }) => kind === 'embeddings');
  return {
    text: data.choices[0]?.message.content ?? '',
    degraded: response.headers.get('x-turnout-degraded'),
    embeddings: calls.length,
  };
}

function vectorsOf(fileId: string): string {
  const { data } = layoutOfServices(testEnv().TURNOUT_TEST_STATE, services.prefix);
  return join(data, 'blobs', 'files', fileId, 'vectors');
}

const embedded = (fileId: string) =>
  until(() => existsSync(vectorsOf(fileId)), { timeoutMs: 20_000, everyMs: 20 });

async function upload() {
  return client.files.create({ file: await toFile(Buffer.from(LONG), 'log.txt'), purpose: 'user_data' });
}

describe('a long document', () => {
  test('that was uploaded is embedded once, and each question about it needs one embedding', async () => {
    const file = await upload();
    expect(await embedded(file.id)).toBe(true);
    for (let n = 0; n < 2; n += 1)
      expect(await ask({ type: 'file', file: { file_id: file.id } })).toEqual({
        text: expect.stringContaining('platform 11'),
        degraded: null,
        embeddings: 1,
      });
    await client.files.delete(file.id);
  });

  test('that is inline is embedded for its request', async () => {
    const answer = await ask(textFile('log.txt', LONG));
    expect(answer).toMatchObject({ text: expect.stringContaining('platform 11'), degraded: null });
    expect(answer.embeddings).toBeGreaterThan(1);
  });

  test('that fits as a whole needs no embedding', async () => {
    expect(await ask(textFile('note.txt', FACT))).toMatchObject({ degraded: null, embeddings: 0 });
  });
});

describe('unavailable embeddings', () => {
  test.each([
    ['hang', { hang: true }],
    ['fail', { fail: 500 }],
  ])(
    'that %s delay an answer only by their time limit: word matching selects passages, and a header says so',
    async (_how, knobs) => {
      await setEmbeddings(knobs);
      expect(await ask(textFile('log.txt', LONG))).toMatchObject({
        text: expect.stringContaining('platform 11'),
        degraded: 'document-0',
      });
    },
  );

  test('do not prevent a file from being read; it is embedded at a later question', async () => {
    await setEmbeddings({ fail: 400 });
    const file = await upload();
    const status = async () => ((await client.files.retrieve(file.id)) as { status: string }).status;
    expect(await until(async () => (await status()) === 'processed', { timeoutMs: 20_000 })).toBe(true);
    expect(existsSync(vectorsOf(file.id))).toBe(false);
    await setEmbeddings({});
    expect((await ask({ type: 'file', file: { file_id: file.id } })).text).toContain('platform 11');
    expect(await embedded(file.id)).toBe(true);
  });
});
