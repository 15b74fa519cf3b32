import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import OpenAI from 'openai';
import { type Composition, createComposition } from '../harness/containers/composition.ts';
import { docker } from '../harness/containers/engine.ts';

/** Runs docker-compose.yml for real. The first build takes minutes. */
jest.setTimeout(600_000);

let composition: Composition | undefined;
let client: OpenAI;

const composed = (): Composition => {
  if (!composition) throw new Error('The composition is not running');
  return composition;
};

beforeAll(async () => {
  composition = await createComposition();
  await composition.up('--build');
  const { TURNOUT_API_KEY: apiKey } = await composition.keys();
  client = new OpenAI({ baseURL: `${composition.url}/v1`, apiKey });
}, 600_000);

afterAll(async () => {
  await composition?.down();
}, 120_000);

const ask = (content: string) =>
  client.chat.completions.create({ model: 'turnout-sim', messages: [{ role: 'user', content }] });

const QUESTION = 'My seat is 12. What is my seat?';

test('the example request of `make up` is answered', async () => {
  const file_data = `data:text/plain;base64,${Buffer.from('The depot at Ostheim has nine tracks.').toString('base64')}`;
  const stream = await client.chat.completions.create({
    model: 'turnout-sim',
    stream: true,
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'How many tracks has the depot at Ostheim?' },
          { type: 'file', file: { filename: 'depot.txt', file_data } },
        ],
      },
    ],
  });
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
  expect(text).toContain('nine tracks');
});

test.each(['ingress', 'llm-worker', 'litellm', 'simulator', 'proxy', 'redis', 'cache-redis', 'kafka'])(
  '%s runs without root and cannot write outside its volumes',
  async (service) => {
    const { compose } = composed();
    expect((await compose('exec', '-T', service, 'id', '-u')).trim()).not.toBe('0');
    await expect(compose('exec', '-T', service, 'sh', '-c', 'touch /usr/of-mine')).rejects.toThrow(
      /Read-only file system|Permission denied/,
    );
  },
);

test('scaled services share the work, and stopping one ingress loses no request', async () => {
  const { up, containersOf, compose } = composed();
  await up('--scale', 'llm-worker=3', '--scale', 'router=2', '--scale', 'ingress=2');
  const status = await compose('run', '--rm', '-T', 'operator', 'rollout', 'status');
  expect(status).toMatch(/Instances: 9 of 9 have applied epoch/);
  const [first = ''] = await containersOf('ingress');
  const asked = Array.from({ length: 40 }, () => ask(QUESTION));
  await docker(['stop', first]);
  const answers = await Promise.all(asked);
  expect(answers.map(({ choices }) => choices[0]?.message.content)).toEqual(
    answers.map(() => expect.stringContaining('seat is 12')),
  );
});

test('down removes every container, volume and network', async () => {
  const { down, left } = composed();
  await down();
  expect(await left()).toEqual([]);
});
