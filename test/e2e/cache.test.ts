import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChatCompletionCreateParamsStreaming } from 'openai/resources/chat/completions';
import { userDigest, userHash } from '../../shared/platform/ids.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { dumpRedis, findLeaks } from '../harness/leak-scan.ts';
import { type RetrievalService, startRetrievalService } from '../harness/retrieval-service.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { runTurnout } from '../harness/turnout-cli.ts';
import { collect, failureOf, openaiClient, textFile, textOf, upstreamCalls } from './support.ts';

jest.setTimeout(60_000);

let services: RunningServices;
let wiki: RetrievalService;

beforeAll(async () => {
  wiki = await startRetrievalService({
    passages: [{ text: 'Turnouts are kept in the wiki.', title: 'Wiki' }],
  });
  const sources = [{ name: 'wiki', url: wiki.url, always: true }];
  services = await startServices({
    env: { ENABLE_CACHE: 'true', CACHE_TIMEOUT_MS: '1000', RETRIEVAL_SOURCES: JSON.stringify(sources) },
  });
}, 60_000);
afterAll(async () => {
  await services.stop();
  await wiki.close();
}, 60_000);

/** A question that has not been asked before. */
function newQuestion(): string {
  return `What is a turnout? (${randomBytes(6).toString('hex')})`;
}

interface Asked {
  text: string;
  cache: string | null;
  saved: string | null;
  attempts: string | null;
  usage: unknown;
  jobId: string;
  calls: number;
}

type Body = Partial<ChatCompletionCreateParamsStreaming> & Record<string, unknown>;

async function ask(
  body: Body,
  headers: Record<string, string> = {},
  apiKey = testEnv().TURNOUT_API_KEY,
): Promise<Asked> {
  const client = openaiClient(services, { apiKey });
  const request = {
    model: 'turnout-sim',
    stream: true,
    stream_options: { include_usage: true },
    messages: [],
    ...body,
  };
  const { data, response } = await client.chat.completions
    .create(request as ChatCompletionCreateParamsStreaming, { headers })
    .withResponse();
  const chunks = await collect(data);
  const jobId = response.headers.get('x-turnout-job-id') ?? '';
  return {
    text: textOf(chunks),
    cache: response.headers.get('x-turnout-cache'),
    saved: response.headers.get('x-turnout-saved-tokens'),
    attempts: response.headers.get('x-turnout-attempts'),
    usage: chunks.at(-1)?.usage,
    jobId,
    calls: (await upstreamCalls(jobId)).length,
  };
}

const said = (content: string) => ({ messages: [{ role: 'user' as const, content }] });

/** Asks until the answer comes from the cache, which is some milliseconds after the end of the first answer. */
async function askUntilKept(body: Body): Promise<Asked> {
  let last: Asked | undefined;
  await until(async () => ((last = await ask(body)), last.cache === 'hit'), { timeoutMs: 10_000 });
  if (!last) throw new Error('never asked');
  return last;
}

/** Asks once, and waits until the answer is in the cache. */
async function keep(body: Body): Promise<Asked> {
  const first = await ask(body);
  await askUntilKept(body);
  return first;
}

const bob = () => testEnv().TURNOUT_API_KEY_2;

describe('an answer that the same user has received before', () => {
  test('comes from the user’s cache: the same text, no model call, no tokens', async () => {
    const body = said(newQuestion());
    const first = await ask(body);
    expect(first).toMatchObject({ cache: 'miss', attempts: '1', saved: null, calls: 1 });
    const again = await askUntilKept(body);
    expect(again).toMatchObject({ text: first.text, attempts: '0', calls: 0 });
    expect(again.usage).toEqual({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 });
    expect(again.saved).toBe(String((first.usage as { total_tokens: number }).total_tokens));
  });

  test('is found with and without streaming, and with parameters that do not matter', async () => {
    const { messages } = said(newQuestion());
    const { text } = await keep({ messages });
    const { data, response } = await openaiClient(services)
      .chat.completions.create({
        metadata: { trace: 'x' },
        service_tier: 'auto',
        messages,
        model: 'turnout-sim',
      })
      .withResponse();
    expect(response.headers.get('x-turnout-cache')).toBe('hit');
    expect(data.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: text } });
    expect(data.usage).toEqual({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 });
  });

  test('is a response like any other: streamed, in the background, stored', async () => {
    const { responses } = openaiClient(services);
    const request = { model: 'turnout-sim', input: newQuestion() };
    const streamed = async () => {
      const types: string[] = [];
      let text = '';
      for await (const event of await responses.create({ ...request, stream: true })) {
        if (event.type === 'response.output_text.delta') text += event.delta;
        else types.push(event.type);
      }
      return { types, text };
    };
    const first = await streamed();
    await askUntilKept(said(request.input));
    expect(await streamed()).toEqual(first);
    const { id } = await responses.create({ ...request, background: true });
    await until(async () => (await responses.retrieve(id)).status === 'completed', { timeoutMs: 10_000 });
    const stored = await responses.retrieve(id);
    expect(stored).toMatchObject({ output_text: first.text, usage: { total_tokens: 0 } });
  });

  test('is not given to another user', async () => {
    const body = said(newQuestion());
    await keep(body);
    expect(await ask(body, {}, bob())).toMatchObject({ cache: 'miss', calls: 1 });
  });
});

describe('a client’s cache directive', () => {
  test('no-cache: a new answer, which replaces the cached one; no-store: no answer is cached', async () => {
    const body = said(newQuestion());
    await keep(body);
    expect(await ask(body, { 'cache-control': 'no-cache' })).toMatchObject({ cache: 'bypass', calls: 1 });
    expect(await ask(body)).toMatchObject({ cache: 'hit' });
    const other = said(newQuestion());
    await ask(other, { 'cache-control': 'no-store' });
    expect(await ask(other, { 'cache-control': 'no-store' })).toMatchObject({ cache: 'miss', calls: 1 });
  });

  test('max-age: a cached answer that is young enough; an invalid value is a typed error', async () => {
    const body = said(newQuestion());
    await keep(body);
    expect(await ask(body, { 'cache-control': 'max-age=3600' })).toMatchObject({ cache: 'hit' });
    expect(await ask(body, { 'cache-control': 'max-age=0' })).toMatchObject({ cache: 'bypass', calls: 1 });
    const failure = await failureOf(ask(body, { 'cache-control': 'max-age=soon' }));
    expect(failure).toMatchObject({ status: 400, code: 'invalid_value', param: 'Cache-Control' });
  });

  test('store: false, a temperature and a tool call prevent caching', async () => {
    for (const body of [
      { ...said(newQuestion()), store: false },
      { ...said(newQuestion()), temperature: 0.7 },
      {
        ...said(`${newQuestion()} call look`),
        tools: [{ type: 'function' as const, function: { name: 'look' } }],
      },
    ]) {
      await ask(body);
      // Entries are stored in order: once this one is in the cache, the one before it would be, too.
      await keep(said(newQuestion()));
      expect(await ask(body)).toMatchObject({ calls: 1 });
    }
  });
});

describe('the sources of an answer', () => {
  const withDocument = (question: string, text: string) => ({
    messages: [
      {
        role: 'user' as const,
        content: [{ type: 'text' as const, text: question }, textFile('a.txt', text)],
      },
    ],
  });

  test('another version of a document makes a different cache key', async () => {
    const question = newQuestion();
    const first = await keep(withDocument(question, 'A turnout has a frog.'));
    const second = await ask(withDocument(question, 'A turnout has two frogs.'));
    expect(second).toMatchObject({ cache: 'miss', calls: 1 });
    expect(second.text).not.toBe(first.text);
  });

  test('the same question of the same user calls a retrieval service once', async () => {
    const question = newQuestion();
    const asked = () => wiki.asked.filter(({ query }) => query === question).length;
    await ask(said(question));
    await until(
      async () => {
        const { cache } = await ask({ ...said(question), temperature: 0.7 });
        return cache === null;
      },
      { timeoutMs: 5_000 },
    );
    expect(asked()).toBe(1);
    await ask(said(question), { 'cache-control': 'no-cache' });
    expect(asked()).toBe(2);
    await ask(said(question), {}, bob());
    expect(asked()).toBe(3);
  });
});

describe('a cleared cache', () => {
  test('is empty for the user: by the command line, and over HTTP with the admin key', async () => {
    const [body, other] = [said(newQuestion()), said(newQuestion())];
    await keep(body);
    await keep(other);
    const [user] = await usersOf(testEnv().API_KEYS_FILE);
    const { CACHE_REDIS_URL } = testEnv();
    const run = await runTurnout(services.prefix, ['cache', 'clear', '--user', user ?? ''], {
      env: { CACHE_REDIS_URL },
    });
    expect(run).toMatchObject({ code: 0, err: '' });
    expect(await ask(body)).toMatchObject({ cache: 'miss', calls: 1 });
    await askUntilKept(body);

    const clear = (key: string) =>
      fetch(`${services.urlOf('cache')}/admin/cache/clear`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}` },
        body: JSON.stringify({ user }),
      });
    expect((await clear(testEnv().TURNOUT_API_KEY)).status).toBe(401);
    expect(await ask(body)).toMatchObject({ cache: 'hit' });
    expect((await clear(testEnv().TURNOUT_ADMIN_KEY)).status).toBe(200);
    expect(await ask(body)).toMatchObject({ cache: 'miss', calls: 1 });
  });
});

test('the cache’s Redis reveals no user, question, file or answer', async () => {
  const question = newQuestion();
  const name = 'plan-of-the-northern-siding.txt';
  const body = {
    messages: [
      {
        role: 'user' as const,
        content: [
          { type: 'text' as const, text: question },
          textFile(name, 'The northern siding holds forty wagons.'),
        ],
      },
    ],
  };
  const { text } = await keep(body);
  const { CACHE_REDIS_URL, TURNOUT_SECRET, API_KEYS_FILE } = testEnv();
  const users = (await usersOf(API_KEYS_FILE)).flatMap((user) => [
    userHash(TURNOUT_SECRET, user),
    userDigest(user),
    ...(user.length < 8 ? [] : [user]),
  ]);
  const redis = connectRedis(CACHE_REDIS_URL, 'test', silentLogger);
  const pieces = await dumpRedis(redis);
  await closeRedis(redis);
  expect(pieces.length).toBeGreaterThan(20);
  const passage = 'Turnouts are kept in the wiki.';
  const told = [question, name, 'forty wagons', passage, text, text.slice(0, 24), ...users, TURNOUT_SECRET];
  expect(findLeaks(pieces, told)).toEqual([]);
});

test('the statistics: by the command line, over HTTP, for Prometheus, and the saved tokens in the summary', async () => {
  await keep(said(newQuestion()));
  const { CACHE_REDIS_URL, TURNOUT_ADMIN_KEY } = testEnv();
  const run = await runTurnout(services.prefix, ['cache', 'stats', '--json'], { env: { CACHE_REDIS_URL } });
  const shown = JSON.parse(run.out) as { hits: number; kinds: { answer: { hits: number } } };
  expect(shown.kinds.answer.hits).toBeGreaterThan(0);
  const response = await fetch(`${services.urlOf('cache')}/admin/cache/stats`, {
    headers: { authorization: `Bearer ${TURNOUT_ADMIN_KEY}` },
  });
  expect(await response.json()).toMatchObject({ entries: expect.any(Number), hitRate: expect.any(Number) });
  const metrics = await (await fetch(`${services.urlOf('cache')}/metrics`)).text();
  expect(metrics).toMatch(/turnout_cache_lookups\{kind="answer",found="true",service="cache"\} [1-9]/);
  await until(async () => (await summary()).paths.cache.jobs > 0, { timeoutMs: 10_000 });
  expect(await summary()).toMatchObject({ completedWithoutUsage: 0, saved: { prompt: expect.any(Number) } });
});

test("the guide's command computes the hit rate from the log as written", async () => {
  await keep(said(newQuestion()));
  const log = join(services.logs, 'turnout.log');
  const lines = (pattern: string) => execFileSync('grep', ['-cE', pattern, log]).toString().trim();
  const [hits, misses] = [Number(lines('Cache HIT')), Number(lines('Cache MISS'))];
  const command = `grep -E "Cache (HIT|MISS)" ${log} | awk '/HIT/{h++}/MISS/{m++} END{printf "%d %d %.1f", h, m, h/(h+m)*100}'`;
  const [h, m, rate] = execFileSync('sh', ['-c', command]).toString().split(' ').map(Number);
  expect(h).toBeGreaterThan(0);
  expect(Math.abs((h ?? 0) - hits) + Math.abs((m ?? 0) - misses)).toBeLessThan(5);
  expect(rate).toBeCloseTo((100 * (h ?? 0)) / ((h ?? 0) + (m ?? 0)), 0);
});

interface SummaryView {
  paths: { cache: { jobs: number } };
}

async function summary(): Promise<SummaryView> {
  return (await (await fetch(`${services.urlOf('metrics')}/summary`)).json()) as SummaryView;
}

async function usersOf(file: string): Promise<string[]> {
  const { keys } = JSON.parse(await readFile(file, 'utf8')) as { keys: { user: string }[] };
  return keys.map(({ user }) => user);
}
