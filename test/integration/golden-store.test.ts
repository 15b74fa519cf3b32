import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { z } from 'zod';
import { controlState } from '../../shared/contracts/control.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';
import { until } from '../../stack/until.ts';
import { callsOf } from '../faults/support/simulator.ts';
import { type Recorded } from '../golden/capture.ts';
import {
  answerOf,
  apiOf,
  ended,
  idOf,
  jobIdOf,
  settings,
  startReceiver,
  startWiki,
} from '../golden/installation.ts';
import { jsonOf } from '../golden/read.ts';
import { type Text } from '../golden/recording.ts';
import { PREFIX, restoreGolden } from '../golden/restore.ts';
import { fromCache, repeatable } from '../golden/scenario.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { jsonLinesOf, runTurnout } from '../harness/turnout-cli.ts';

jest.setTimeout(120_000);

/** Today's services continue where killed services of release 0.1.0 have left Kafka, both Redis and the blob store. */
let golden: Recorded;
let services: RunningServices | undefined;
let wiki: Awaited<ReturnType<typeof startWiki>>;
let receiver: Awaited<ReturnType<typeof startReceiver>>;
let env: Record<string, string>;
const api = apiOf(() => services?.url ?? '');

beforeAll(async () => {
  wiki = await startWiki();
  receiver = await startReceiver();
  golden = await restoreGolden(receiver.url);
  env = settings(wiki, PREFIX);
  services = await startServices({ prefix: PREFIX, env });
}, 120_000);

afterAll(async () => {
  await services?.stop();
  await wiki.close();
  receiver.close();
  for (const url of [testEnv().REDIS_URL, testEnv().CACHE_REDIS_URL]) {
    const redis = connectRedis(url, 'golden', silentLogger);
    await removeKeys(redis, `${PREFIX}:*`);
    await closeRedis(redis);
  }
}, 60_000);

function fact(name: string): string {
  const id = golden.facts.ids[name];
  if (id === undefined) throw new Error(`The recording has no ${name}`);
  return id;
}

async function turnout(...args: string[]): Promise<Record<string, unknown>[]> {
  const run = await runTurnout(PREFIX, [...args, '--json'], { env });
  if (run.code !== 0) throw new Error(run.err);
  return jsonLinesOf(run);
}

describe('an open job of 0.1.0 is completed', () => {
  test.each([
    ['whose worker was killed in the middle of the answer', 'running'],
    ['whose context nobody had fetched', 'waiting'],
    ['that waited in the scheduler', 'staged'],
    ['that no router had read', 'unrouted'],
  ])('%s', async (_what, name) => {
    const response = await ended(api, fact(name), 90_000);
    expect([response['status'], response['error']]).toEqual(['completed', null]);
    expect(answerOf(response).length).toBeGreaterThan(20);
  });

  test('and keeps the words that 0.1.0 had streamed', async () => {
    const log = golden['job-redis'].find(({ key }) => key.endsWith(`:log:${jobIdOf(fact('running'))}`));
    const events = (log?.value as [string, string, Text][]).map(([, , event]) => jsonOf(event));
    const words = events.map((event) => (event as { delta?: string }).delta ?? '').join('');
    expect(words.length).toBeGreaterThan(5);
    const answer = answerOf((await api.call(`/responses/${fact('running')}`)).json);
    expect(answer.slice(0, words.length)).toBe(words);
  });
});

describe('a repeated request finds the answer of 0.1.0, without a call of the model', () => {
  test.each(Object.entries(repeatable))('%s, by its idempotency key', async (name, request) => {
    const { json, text } = await request(api);
    expect([idOf(json), answerOf(json)]).toEqual([fact(name), golden.facts.answers[name]]);
    expect(text).not.toBe('');
    expect(await callsOf(jobIdOf(idOf(json)))).toEqual([]);
  });

  test('in the encrypted cache of its user', async () => {
    const { headers, json } = await fromCache(api);
    expect(headers.get('x-turnout-cache')).toBe('hit');
    expect(answerOf(json)).toBe(golden.facts.answers['chat']);
  });
});

test('stored responses of 0.1.0 can be read and deleted', async () => {
  const read = await api.call(`/responses/${fact('stored')}`);
  expect(read.json).toMatchObject({ status: 'completed', metadata: { ticket: '1' } });
  expect(answerOf(read.json)).toBe(golden.facts.answers['stored']);
  expect((await api.call(`/responses/${fact('cancelled')}`)).json).toMatchObject({ status: 'cancelled' });
  expect((await api.call(`/responses/${fact('cancelled')}`, { method: 'DELETE' })).status).toBe(200);
});

test('files of 0.1.0 are listed and downloaded, and one that nobody had read is read', async () => {
  const { json } = await api.call('/files');
  const ids = (json['data'] as { id: string }[]).map(({ id }) => id).sort();
  expect(ids).toEqual([fact('file'), fact('pending-file')].sort());
  expect((await api.call(`/files/${fact('file')}/content`)).text).toMatch(/^The night train to Ostheim/);
  const isRead = async () =>
    (await api.call(`/files/${fact('pending-file')}`)).json['status'] === 'processed';
  expect(await until(isRead, { timeoutMs: 30_000 })).toBe(true);
});

test('keys, revocations and blocked users of 0.1.0 hold', async () => {
  const statusOf = async (key: string) => (await api.call('/models', { key })).status;
  expect([await statusOf(fact('key')), await statusOf(fact('revoked'))]).toEqual([200, 401]);
  expect(await turnout('keys', 'list', '--user', 'ada')).toMatchObject([
    { id: 'key_ada', state: 'usable' },
    { name: 'laptop', state: 'usable', groups: ['team'] },
    { name: 'old', state: 'revoked' },
  ]);
  expect((await runTurnout(PREFIX, ['user', 'blocked'], { env })).out).toContain('eve');
});

test('a webhook that 0.1.0 had queued is delivered to its endpoint', async () => {
  expect((await api.call('/webhook_endpoints')).json['data']).toMatchObject([{ id: fact('endpoint') }]);
  const event = `evt_${fact('cancelled').slice(-32)}`;
  expect(await until(() => receiver.received.includes(event), { timeoutMs: 30_000 })).toBe(true);
});

test('flags, plan and audit of 0.1.0 stay in force', async () => {
  const last = controlState.parse(jsonOf(golden['control-state'].at(-1)?.value));
  const [status] = await turnout('rollout', 'status');
  const { epoch, flags, plan, frozen, step } = last;
  expect(status).toMatchObject({ epoch, flags, plan, frozen, step });
  const audit = await turnout('audit', '--limit', '1000');
  const commands = golden.control.filter(
    ({ value }) => (jsonOf(value) as { kind: string }).kind === 'command',
  );
  expect(audit).toHaveLength(commands.length);
});

test('usage of 0.1.0 counts, and its dead letters are listed', async () => {
  const stored = golden['job-redis'].find(({ key }) => /:usage:\d{4}-\d{2}-\d{2}:group:team$/.test(key));
  const jobs = Number((stored?.value as Record<string, Text>)['jobs']);
  const used = z.looseObject({ day: z.looseObject({ jobs: z.int() }) });
  expect(jobs).toBeGreaterThan(15);
  expect(used.parse((await api.call('/usage')).json).day.jobs).toBeGreaterThanOrEqual(jobs);
  expect(await turnout('dlq', 'list')).toHaveLength(2);
});
