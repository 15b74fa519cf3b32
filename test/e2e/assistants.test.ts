import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { NotFoundError, type OpenAI } from 'openai';
import { type ChatCompletionContentPart } from 'openai/resources/chat/completions';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { linesOf, runTurnout } from '../harness/turnout-cli.ts';
import { type AssistantFiles, createAssistantFiles } from './assistants-support.ts';
import { collect, failureOf, openaiClient, textFile, upstreamCalls } from './support.ts';
import { validatingFetch } from './validating-fetch.ts';

jest.setTimeout(30_000);

const MODEL = 'turnout-sim';
const [CONTRACTS_MODEL, DEFAULT_MODEL] = ['turnout-sim-reasoner', 'turnout-sim-prefill'];
const NOTICE = 'What is the notice period in the contract?';
const SALARY = 'Why is my salary lower this month?';
const POEM = 'Write something about quokkas, please.';
const header = (name: string) => ({ headers: { 'x-turnout-assistant': name } });

let files: AssistantFiles | undefined;
let services: RunningServices | undefined;
let client: OpenAI;
let guest: OpenAI;

beforeAll(async () => {
  files = await createAssistantFiles();
  await files.put(
    'contracts',
    `description: Reads contracts
model: ${CONTRACTS_MODEL}
examples: [What is the notice period in this contract?, Who may terminate the agreement early?]
instructions: The notice period in every contract is ninety days.`,
  );
  await files.put(
    'payroll',
    `description: Wages and taxes
examples: [Why is my salary lower this month?, How many days of holiday do I have left?]
access: { groups: [staff] }
instructions: The salary of this month is lower because of the strike.`,
  );
  await files.put(
    'tables',
    'description: Works with tables\nfile_types: [csv]\ninstructions: Count the rows.',
  );
  services = await startServices({ env: { ...files.env, ASSISTANT_DEFAULT_MODEL: DEFAULT_MODEL } });
  client = openaiClient(services, { fetch: validatingFetch });
  guest = openaiClient(services, { fetch: validatingFetch, apiKey: testEnv().TURNOUT_API_KEY_2 });
}, 90_000);

afterAll(async () => {
  await services?.stop();
  await files?.clear();
}, 60_000);

interface Asked {
  model?: string;
  assistant?: string;
  from?: OpenAI;
  content?: string | ChatCompletionContentPart[];
}

/** Asks, and returns which assistant answered with which model, as the client and the provider saw it. */
async function ask({ model = MODEL, assistant, from = client, content = NOTICE }: Asked) {
  const { data, response } = await from.chat.completions
    .create(
      { model, messages: [{ role: 'user', content }] },
      assistant === undefined ? {} : header(assistant),
    )
    .withResponse();
  const [call] = await upstreamCalls(response.headers.get('x-turnout-job-id') ?? '');
  return {
    assistant: response.headers.get('x-turnout-assistant'),
    model: data.model,
    upstream: call?.model,
    text: data.choices[0]?.message.content ?? '',
    jobId: response.headers.get('x-turnout-job-id') ?? '',
  };
}

const csv = [
  { type: 'text' as const, text: 'What does this file say about the weather?' },
  textFile('readings.csv', 'day,degrees\nmonday,3\n'),
];

test.each<[string, Asked, { assistant: string | null; model: string }]>([
  ['no assistant if it asks for none', {}, { assistant: null, model: MODEL }],
  [
    'the named one, with the model of the request',
    { assistant: 'contracts' },
    { assistant: 'contracts', model: MODEL },
  ],
  [
    'the named one, with its own model',
    { assistant: 'contracts', model: 'auto' },
    { assistant: 'contracts', model: CONTRACTS_MODEL },
  ],
  [
    'the assistant that the model name contains',
    { model: 'assistant/contracts' },
    { assistant: 'contracts', model: CONTRACTS_MODEL },
  ],
  ['the most similar assistant', { assistant: 'auto' }, { assistant: 'contracts', model: MODEL }],
  [
    'the same if only the model is auto',
    { model: 'auto' },
    { assistant: 'contracts', model: CONTRACTS_MODEL },
  ],
  [
    'the assistant for the type of the file',
    { assistant: 'auto', content: csv },
    { assistant: 'tables', model: MODEL },
  ],
  [
    'an assistant for a group, asked by a member',
    { model: 'auto', content: SALARY },
    { assistant: 'payroll', model: DEFAULT_MODEL },
  ],
  ['no assistant if none fits', { assistant: 'auto', content: POEM }, { assistant: null, model: MODEL }],
  [
    'the default model if none fits',
    { model: 'auto', content: POEM },
    { assistant: null, model: DEFAULT_MODEL },
  ],
  [
    'the default model if there are no assistants',
    { model: 'auto', assistant: 'none' },
    { assistant: null, model: DEFAULT_MODEL },
  ],
])('a request gets %s', async (_, asked, expected) => {
  const answer = await ask(asked);
  expect(answer).toMatchObject({ ...expected, upstream: expected.model });
});

test('the model receives the instructions of the request’s assistant', async () => {
  expect((await ask({ assistant: 'contracts' })).text).toContain('ninety days');
  expect((await ask({})).text).not.toContain('ninety days');
});

test('a stream names its assistant before the first token, and its model in every chunk', async () => {
  const { data, response } = await client.chat.completions
    .create({ model: 'auto', stream: true, messages: [{ role: 'user', content: NOTICE }] })
    .withResponse();
  expect(response.headers.get('x-turnout-assistant')).toBe('contracts');
  expect(new Set((await collect(data)).map(({ model }) => model))).toEqual(new Set([CONTRACTS_MODEL]));
});

describe('an assistant that a caller may not use', () => {
  test('is reported as unknown, like one that does not exist', async () => {
    const refusals = await Promise.all([
      failureOf(ask({ from: guest, assistant: 'payroll' })),
      failureOf(ask({ from: guest, assistant: 'nobody' })),
      failureOf(ask({ from: guest, model: 'assistant/payroll' })),
    ]);
    for (const refusal of refusals) expect(refusal).toBeInstanceOf(NotFoundError);
    expect(refusals).toMatchObject([
      { code: 'assistant_not_found', param: 'x-turnout-assistant' },
      { code: 'assistant_not_found', param: 'x-turnout-assistant' },
      { code: 'assistant_not_found', param: 'model' },
    ]);
  });

  test('is never selected automatically', async () => {
    expect((await ask({ from: guest, assistant: 'auto', content: SALARY })).assistant).not.toBe('payroll');
  });

  test('is not in the list of models', async () => {
    const ids = async (of: OpenAI) => (await of.models.list()).data.map(({ id }) => id);
    expect(await ids(client)).toEqual(
      expect.arrayContaining([MODEL, 'auto', 'assistant/contracts', 'assistant/payroll']),
    );
    expect(await ids(guest)).not.toContain('assistant/payroll');
    expect(await client.models.retrieve('assistant/payroll')).toMatchObject({ object: 'model' });
    expect(await failureOf(guest.models.retrieve('assistant/payroll'))).toMatchObject({
      code: 'model_not_found',
    });
  });
});

test('an invalid header causes a 400 that names it', async () => {
  const [nonsense, contradiction] = await Promise.all([
    failureOf(ask({ assistant: 'No Such!' })),
    failureOf(ask({ assistant: 'tables', model: 'assistant/contracts' })),
  ]);
  for (const refusal of [nonsense, contradiction])
    expect(refusal).toMatchObject({ status: 400, code: 'invalid_value', param: 'x-turnout-assistant' });
});

test('the same idempotency key with another assistant is a different request', async () => {
  const idempotencyKey = 'key-of-one-question';
  const request = { model: MODEL, messages: [{ role: 'user' as const, content: NOTICE }] };
  const send = (name: string) =>
    client.chat.completions.create(request, {
      headers: { 'Idempotency-Key': idempotencyKey, 'x-turnout-assistant': name },
    });
  const [first, again] = [await send('contracts'), await send('contracts')];
  expect(again.id).toBe(first.id);
  expect(await failureOf(send('auto'))).toMatchObject({ status: 409, code: 'idempotency_conflict' });
});

describe('a conversation of responses', () => {
  test('stays with the assistant that answered it, and shows the model that answers', async () => {
    const first = await client.responses.create({ model: 'assistant/contracts', input: 'Good morning' });
    expect(first.model).toBe(CONTRACTS_MODEL);
    const { data, response } = await client.responses
      .create({ model: 'auto', input: POEM, previous_response_id: first.id })
      .withResponse();
    expect(response.headers.get('x-turnout-assistant')).toBe('contracts');
    expect(data.model).toBe(CONTRACTS_MODEL);
    expect(await client.responses.retrieve(data.id)).toMatchObject({ model: CONTRACTS_MODEL });
  });

  test('without an assistant in the next request continues without one', async () => {
    const first = await client.responses.create({ model: 'assistant/contracts', input: 'Good morning' });
    const { response } = await client.responses
      .create({ model: MODEL, input: POEM, previous_response_id: first.id })
      .withResponse();
    expect(response.headers.get('x-turnout-assistant')).toBeNull();
  });
});

test('an operator sees which assistant was selected and why, and no log has the question', async () => {
  const { jobId } = await ask({ assistant: 'auto' });
  const shown = linesOf(await runTurnout(services?.prefix ?? '', ['jobs', 'show', jobId])).join('\n');
  expect(shown).toMatch(/assistant contracts [0-9a-f]{12} \(similarity, contracts 0\.\d{3},/);
  const log = await readFile(join(services?.logs ?? '', 'router.log'), 'utf8');
  const line = log.split('\n').find((one) => one.includes(jobId) && one.includes('Assistant chosen'));
  expect(JSON.parse(line ?? '{}')).toMatchObject({ jobId, assistant: 'contracts', reason: 'similarity' });
  expect(log).not.toContain('notice period');
});

test('an assistant that is added at run time is used, and one that is removed is not', async () => {
  const request = { assistant: 'trains', content: 'Which platform?' };
  expect(await failureOf(ask(request))).toMatchObject({ code: 'assistant_not_found' });
  await files?.put('trains', 'description: Trains\ninstructions: The platform of all trains is eleven.');
  const answers = () =>
    ask(request).then(
      () => true,
      () => false,
    );
  expect(await until(answers, { timeoutMs: 20_000, everyMs: 200 })).toBe(true);
  expect(await ask(request)).toMatchObject({ assistant: 'trains' });

  await files?.put('broken', 'description: [');
  await files?.remove('trains');
  expect(await ask(request)).toMatchObject({ assistant: 'trains' }); // the last valid state stays in use
  await files?.remove('broken');
  expect(await until(async () => !(await answers()), { timeoutMs: 20_000, everyMs: 200 })).toBe(true);
});
