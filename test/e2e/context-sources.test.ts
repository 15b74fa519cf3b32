import { afterEach, beforeAll, afterAll, describe, expect, jest, test } from '@jest/globals';
import {
  type RetrievalBehaviour,
  type RetrievalService,
  startRetrievalService,
} from '../harness/retrieval-service.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { collect, failureOf, openaiClient, textFile, textOf } from './support.ts';
import { until } from '../../stack/until.ts';

jest.setTimeout(60_000);

const FACT = 'The night train to Ostheim leaves from platform 11.';
const QUESTION = 'From which platform does the night train to Ostheim leave?';
const OTHER = 'The bistro car serves soup until ten.';
const URL_OF_FACT = 'https://wiki.example.org/night-trains';

interface Ground {
  services: RunningServices;
  source: RetrievalService;
}

/** Starts services with one retrieval service, and that service. */
async function ground(
  behaviour: RetrievalBehaviour,
  { env, ...source }: { required?: boolean; timeoutMs?: number; env?: Record<string, string> } = {},
): Promise<Ground> {
  const service = await startRetrievalService(behaviour);
  const configured = [{ name: 'wiki', url: service.url, authorization: 'Bearer w', always: true, ...source }];
  const services = await startServices({
    env: { RETRIEVAL_SOURCES: JSON.stringify(configured), ...env },
    only: ['ingress', 'router', 'context-worker', 'llm-worker'],
  });
  return { services, source: service };
}

async function end({ services, source }: Ground): Promise<void> {
  await services.stop();
  await source.close();
}

const asking = (...files: ReturnType<typeof textFile>[]) => ({
  model: 'turnout-sim',
  messages: [{ role: 'user' as const, content: [{ type: 'text' as const, text: QUESTION }, ...files] }],
});

describe('a retrieval service', () => {
  const found = [{ text: OTHER }, { text: FACT, title: 'Night trains', url: URL_OF_FACT }];
  let at: Ground;
  beforeAll(async () => {
    at = await ground({ passages: found }, { required: true, env: { HISTORY_TOKENS: '600' } });
  }, 90_000);
  afterAll(() => end(at), 60_000);

  test('receives the user’s question; its results are used in the answer and cited', async () => {
    const { data, response } = await openaiClient(at.services)
      .chat.completions.create(asking())
      .withResponse();
    const [choice] = data.choices;
    expect(choice?.message.content).toContain('platform 11');
    expect(choice?.message.annotations).toEqual([
      {
        type: 'url_citation',
        url_citation: {
          url: URL_OF_FACT,
          title: 'Night trains',
          start_index: expect.any(Number),
          end_index: expect.any(Number),
        },
      },
    ]);
    const cited = choice?.message.annotations?.[0]?.url_citation;
    expect(choice?.message.content?.slice(cited?.start_index, cited?.end_index)).toContain(FACT);
    expect(at.source.asked.at(-1)).toMatchObject({
      query: QUESTION,
      headers: { authorization: 'Bearer w', 'x-turnout-job-id': response.headers.get('x-turnout-job-id') },
    });
    expect(at.source.asked.at(-1)?.headers).not.toHaveProperty('x-turnout-user');
    expect(response.headers.get('x-turnout-degraded')).toBeNull();
  });

  test('works beside documents; both are cited, with and without streaming', async () => {
    const client = openaiClient(at.services);
    const request = asking(textFile('more.txt', 'The night train to Ostheim leaves at 23:40 sharp.'));
    const chunks = await collect(await client.chat.completions.create({ ...request, stream: true }));
    const whole = await client.chat.completions.create(request);
    const streamed = chunks.flatMap(({ choices }) => annotationsIn(choices[0]?.delta));
    expect(textOf(chunks)).toBe(whole.choices[0]?.message.content);
    expect(streamed).toEqual(whole.choices[0]?.message.annotations);
    expect(streamed).toContainEqual(
      expect.objectContaining({ file_citation: expect.objectContaining({ filename: 'more.txt' }) }),
    );
  });

  test('an uploaded file is cited by its id in Responses: streamed, stored and continued', async () => {
    const client = openaiClient(at.services);
    const file = await client.files.create({
      file: new File([`${FACT}\n`], 'trains.txt'),
      purpose: 'user_data',
    });
    const content = [
      { type: 'input_text' as const, text: QUESTION },
      { type: 'input_file' as const, file_id: file.id },
    ];
    const stream = await client.responses.create({
      model: 'turnout-sim',
      input: [{ role: 'user', content }],
      stream: true,
    });
    const events = [];
    for await (const event of stream) events.push(event);
    const added = events.filter((event) => event.type === 'response.output_text.annotation.added');
    expect(added.length).toBeGreaterThan(0);
    const completed = events.at(-1);
    if (completed?.type !== 'response.completed') throw new Error('the response did not complete');
    const [message] = completed.response.output;
    const [part] = message?.type === 'message' ? message.content : [];
    if (part?.type !== 'output_text') throw new Error('there is no text');
    expect(part.annotations).toEqual(added.map(({ annotation }) => annotation));
    const cited = part.annotations.find((annotation) => annotation.type === 'file_citation');
    expect(cited).toMatchObject({ file_id: file.id, filename: 'trains.txt' });
    expect(part.text.slice(0, cited?.index)).toContain(FACT);
    const stored = await client.responses.retrieve(completed.response.id);
    expect(stored.output).toEqual(completed.response.output);
    const next = await client.responses.create({
      model: 'turnout-sim',
      previous_response_id: stored.id,
      input: 'Thank you.',
    });
    expect(next.status).toBe('completed');
    // A client that keeps the conversation itself sends the annotations back.
    const again = await client.responses.create({
      model: 'turnout-sim',
      input: [...stored.output.filter((item) => item.type === 'message'), { role: 'user', content: 'And?' }],
    });
    expect(again.status).toBe('completed');
  });

  test('from a long conversation, the relevant old turn is used and the rest is left out', async () => {
    const turns = Array.from({ length: 40 }, (_, n) => [
      {
        role: 'user' as const,
        content: n === 3 ? 'My locker is number 417.' : `Note ${n}: ${'the weather was mild. '.repeat(12)}`,
      },
      { role: 'assistant' as const, content: `Noted ${n}.` },
    ]).flat();
    const { data, response } = await openaiClient(at.services)
      .chat.completions.create({
        model: 'turnout-sim',
        messages: [...turns, { role: 'user', content: 'What is my locker?' }],
      })
      .withResponse();
    expect(data.choices[0]?.message.content).toContain('417');
    expect(data.usage?.prompt_tokens).toBeLessThan(1_500);
    expect(response.headers.get('x-turnout-degraded')).toBeNull();
  });
});

describe('a source that fails', () => {
  let at: Ground | undefined;
  afterEach(async () => {
    if (at) await end(at);
    at = undefined;
  }, 60_000);

  test('and is optional: the answer comes without it, in time, and a header says so', async () => {
    at = await ground({ hang: true }, { timeoutMs: 300 });
    const client = openaiClient(at.services);
    const request = asking(textFile('timetable.txt', FACT));
    const { data, response } = await client.chat.completions.create(request).withResponse();
    expect(data.choices[0]?.message.content).toContain('platform 11');
    expect(response.headers.get('x-turnout-degraded')).toBe('source-wiki');
    const [asked] = at.source.asked;
    await until(() => asked?.gone.aborted ?? false, { timeoutMs: 5_000, everyMs: 10 });

    const streamed = await client.responses.create({ model: 'turnout-sim', input: QUESTION, stream: true });
    let last;
    for await (const event of streamed) last = event;
    expect(last).toMatchObject({
      response: { status: 'completed', metadata: { turnout_degraded: 'source-wiki' } },
    });
  }, 120_000);

  test('and is required: the job fails with a typed error', async () => {
    at = await ground({ hang: true }, { required: true, timeoutMs: 300 });
    const silent = await failureOf(
      openaiClient(at.services, { maxRetries: 0 }).chat.completions.create(asking()),
    );
    expect(silent).toMatchObject({ status: 504, code: 'source_timeout' });
  }, 120_000);

  test.each([
    ['an error', { status: 500, body: 'secret-of-the-inside' }],
    ['an invalid page of results', { status: 200, body: '{"data":"secret-of-the-inside"}' }],
    ['a redirect', { status: 302, body: '' }],
  ])(
    'and answers with %s counts as failed',
    async (_what, broken) => {
      at = await ground({ broken }, { required: true });
      const error = await failureOf(
        openaiClient(at.services, { maxRetries: 0 }).chat.completions.create(asking()),
      );
      expect(error).toMatchObject({ status: 502, code: 'source_failed' });
      expect(JSON.stringify(error)).not.toContain('secret-of-the-inside');
    },
    120_000,
  );
});

test('without ENABLE_PARALLEL, the sources are fetched one after another, with the same answer', async () => {
  const at = await ground(
    { passages: [{ text: FACT }] },
    { env: { ENABLE_PARALLEL: 'false', HISTORY_TOKENS: '600' } },
  );
  try {
    const files = [textFile('a.txt', OTHER), textFile('b.txt', 'Bicycles travel in the last carriage.')];
    const { data, response } = await openaiClient(at.services)
      .chat.completions.create(asking(...files))
      .withResponse();
    expect(data.choices[0]?.message.content).toContain('platform 11');
    expect(response.headers.get('x-turnout-degraded')).toBeNull();
    expect(at.source.asked).toHaveLength(1);
  } finally {
    await end(at);
  }
}, 120_000);

function annotationsIn(delta: object | undefined): unknown[] {
  return (delta as { annotations?: unknown[] } | undefined)?.annotations ?? [];
}
