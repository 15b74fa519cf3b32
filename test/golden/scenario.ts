import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Summary } from '../../services/metrics/summary.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { topicNames } from '../../shared/platform/kafka/topics.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { repositoryRoot } from '../../stack/layout.ts';
import { until } from '../../stack/until.ts';
import { callsOf } from '../faults/support/simulator.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { runTurnout } from '../harness/turnout-cli.ts';
import {
  answerOf,
  type Api,
  apiOf,
  ended,
  FACT,
  idOf,
  jobIdOf,
  type Json,
  MODEL,
  QUESTION,
  settings,
  startReceiver,
  startWiki,
} from './installation.ts';

/**
 * The life of a small installation. It writes every kind of message and of stored data, and ends with killed services and with open jobs
 * at several stages. `record.ts` runs it with the services of a release; a test runs it with today's and compares what both wrote.
 */
export interface Scenario {
  /** Topics and keys have this prefix. */
  prefix: string;
  /** The checkout whose services and command line run. Undefined: this one. */
  root: string | undefined;
  /** TURNOUT_SECRET. Default: that of the recordings. */
  secret?: string;
  say: (line: string) => void;
}

/** What the scenario has received from the services. */
export interface Facts {
  /** Ids by the name of their step. */
  ids: Record<string, string>;
  /** The answers to requests that a later release must answer in the same words. */
  answers: Record<string, string>;
}

export interface Played {
  facts: Facts;
  logs: string;
  blobs: string;
  services: RunningServices;
  /** The user's web server, to which webhooks are delivered. */
  receiverUrl: string;
}

/** Requests that a later release answers from what is stored: the name of the step is their idempotency key. */
export const repeatable = {
  chat: (api: Api) => api.chat(QUESTION, { temperature: 0 }, { headers: { 'idempotency-key': 'chat' } }),
  stored: (api: Api) =>
    api.respond(
      QUESTION,
      { store: true, metadata: { ticket: '1' } },
      { headers: { 'idempotency-key': 'stored' } },
    ),
} as const;

/** The same request as `repeatable.chat` without the key: the cache has its answer. */
export const fromCache = (api: Api) => api.chat(QUESTION, { temperature: 0 });

export async function play({ prefix, root, secret, say }: Scenario): Promise<Played> {
  const run = testEnv();
  const wiki = await startWiki();
  const receiver = await startReceiver();
  const env = settings(wiki, prefix, secret);
  const services = await startServices({ prefix, env, ...(root === undefined ? {} : { root }) });
  try {
    const api = apiOf(() => services.url);
    const command = join(root ?? repositoryRoot, 'bin', 'turnout');
    const cliEnv = { ...env, CACHE_REDIS_URL: run.CACHE_REDIS_URL };
    const turnout = async (...args: string[]) => {
      const ran = await runTurnout(prefix, args, { env: cliEnv, command });
      if (ran.code !== 0) throw new Error(`turnout ${args.join(' ')}: ${ran.err}`);
      return ran.out;
    };
    const stage: Stage = { api, turnout, services, env, facts: { ids: {}, answers: {} }, root, say };
    for (const step of [operate, ask, failAndCancel, sendUnreadable, settle, leaveOpen]) {
      say(step.name);
      await step(stage, receiver.url);
    }
    await Promise.all((['metrics', 'cache', 'ingress'] as const).map((name) => services.kill(name)));
    const { logs } = services;
    return {
      facts: stage.facts,
      logs,
      blobs: join(logs, '..', 'data', 'blobs'),
      services,
      receiverUrl: receiver.url,
    };
  } catch (error) {
    await services.stop();
    throw error;
  } finally {
    receiver.close();
    await wiki.close();
  }
}

interface Stage {
  api: Api;
  turnout: (...args: string[]) => Promise<string>;
  services: RunningServices;
  env: Record<string, string>;
  facts: Facts;
  root: string | undefined;
  say: (line: string) => void;
}

/** An operator prepares keys, users and the rollout. */
async function operate({ turnout, facts }: Stage, receiverUrl: string): Promise<void> {
  const given = async (commands: string[]) => {
    for (const command of commands) await turnout(...command.split(' '));
  };
  await Promise.all([
    given(['user force ada', 'user force carol', 'user release carol']),
    given(['user bypass bob', 'flags set ERROR_THRESHOLD=7 PARALLEL_PERCENTAGE=100']),
    given(['user block eve', 'user clear carol']),
  ]);
  const made = async (...args: string[]) =>
    JSON.parse(await turnout(...args, '--json')) as { id: string; key: string };
  const laptop = await made('keys', 'create', '--user', 'ada', '--groups', 'team', '--name', 'laptop');
  const old = await made('keys', 'create', '--user', 'ada', '--name', 'old', '--expires-in', '90d');
  await turnout('keys', 'revoke', old.id);
  const hook = await made('webhooks', 'add', '--user', 'ada', '--url', receiverUrl);
  Object.assign(facts.ids, { key: laptop.key, revoked: old.key, endpoint: hook.id });
}

/** Answers of every form: from the cache, with files, with reasoning, tools, passages and a fallback. */
async function ask({ api, facts }: Stage): Promise<void> {
  const warm = await api.chat('Hello');
  if (warm.status !== 200) throw new Error(warm.text);
  for (const [name, request] of Object.entries(repeatable)) {
    const { json, text, status } = await request(api);
    if (status !== 200) throw new Error(text);
    facts.ids[name] = idOf(json);
    facts.answers[name] = answerOf(json);
  }
  await soon('the answer is in the cache', async () => {
    const again = await fromCache(api);
    return again.headers.get('x-turnout-cache') === 'hit';
  });
  await api.chat(
    QUESTION,
    { model: 'turnout-sim-reasoner', stream: true },
    { headers: { 'cache-control': 'no-store' } },
  );
  const parameters = { type: 'object', properties: { city: { type: 'string' } } };
  const tools = [{ type: 'function', function: { name: 'get_weather', parameters } }];
  await api.chat('Please call get_weather for city: Oslo', { tools });
  await api.chat('Say something', { n: 2, logprobs: true, user: 'person-1', max_tokens: 20 });
  await api
    .respond('Say something', { store: true, background: true, truncation: 'auto' })
    .then(async ({ json }) => ended(api, idOf(json)));

  const file = await upload(api, 'trains.txt', `${FACT} Tickets are sold in hall 2.`);
  facts.ids['file'] = file;
  await soon(
    'the file is processed',
    async () => (await api.call(`/files/${file}`)).json['status'] === 'processed',
  );
  const inline = Buffer.from('The day train leaves from platform 2.').toString('base64');
  const cited = await api.chat(
    [
      { type: 'text', text: QUESTION },
      { type: 'file', file: { file_id: file } },
      { type: 'file', file: { filename: 'notes.txt', file_data: `data:text/plain;base64,${inline}` } },
    ],
    {},
    { headers: { 'x-turnout-assistant': 'timetables' } },
  );
  if (cited.status !== 200) throw new Error(cited.text);
  await api.chat([
    { type: 'text', text: 'Which line? (slow wiki)' },
    {
      type: 'file',
      file: {
        filename: 'page.html',
        file_data: `data:text/html;base64,${Buffer.from('<p>Line 4 is closed.</p>').toString('base64')}`,
      },
    },
  ]);
  await api.call('/chat/completions', {
    body: {
      model: MODEL,
      messages: [
        { role: 'user', content: `Keep this in mind: ${'a long story. '.repeat(20_000)}` },
        { role: 'assistant', content: 'I do.' },
        { role: 'user', content: QUESTION },
      ],
    },
  });
  await api.chat(QUESTION, {}, { user: 'bob', headers: { 'x-turnout-assistant': 'auto' } });
  for (const user of ['iris', 'dora']) await api.chat(QUESTION, {}, { user });
}

/** Failed and cancelled jobs, a retry and a fallback. */
async function failAndCancel({ api, turnout }: Stage): Promise<void> {
  const knobs = (text: string) => `Why? [[sim: ${text}]]`;
  await api.chat(knobs('fail=500; failTimes=1'));
  await api.chat(knobs('fail=500; failTimes=2'));
  await api.chat(knobs('fail=400'));
  await api.chat(knobs('fail=500'));
  await api.chat(knobs('tps=50; cut=4; failTimes=1; tokens=12'), { stream: true });
  for (const cancel of [
    (id: string) => api.call(`/responses/${id}/cancel`, { method: 'POST' }),
    (id: string) => turnout('jobs', 'cancel', id.replace('resp_', 'job_')),
  ]) {
    const { json } = await api.respond(knobs('tokens=400; tps=20'), { background: true });
    await streaming(idOf(json));
    await cancel(idOf(json));
    await ended(api, idOf(json));
  }
}

/** A message that no service can read becomes a dead letter. */
async function sendUnreadable({ services: { prefix }, turnout }: Stage): Promise<void> {
  const brokers = testEnv().KAFKA_BROKERS.split(',');
  const kafka = createKafka({ brokers, clientId: 'golden', log: silentLogger });
  const producer = await kafka.producer();
  const { jobs, events } = topicNames(prefix);
  const headers = { ce_id: 'golden' };
  await producer.send({ topic: jobs, key: 'ada', value: '{"version":1}', headers });
  await producer.send({ topic: events, key: 'ada', value: 'no JSON', headers });
  await producer.close();
  await soon('the dead letters are there', async () => {
    const letters = await turnout('dlq', 'list', '--json');
    return letters.split('\n').filter((line) => line !== '').length === 2;
  });
}

/** All outcomes are counted and all answers copied; then the rollout begins, is held and rolled back. */
async function settle({ api, turnout, services }: Stage): Promise<void> {
  let counted = -1;
  await soon('the outcomes are counted', async () => {
    const before = counted;
    const response = await fetch(`${services.urlOf('metrics')}/summary`);
    counted = ((await response.json()) as Summary).jobs;
    await delay(1_500);
    return counted >= ENDED && counted === before;
  });
  const hooks = await api.call('/webhook_endpoints');
  if (hooks.status !== 200) throw new Error(hooks.text);
  await turnout('rollout', 'start', '--steps', '20,50', '--dwell', '48h');
  await turnout('rollout', 'hold', '--why', 'a holiday');
  await turnout('rollout', 'resume');
  await turnout('rollout', 'rollback', '--why', 'a rehearsal');
  await turnout('rollout', 'resume', '--percentage', '20');
  await turnout('rollout', 'start', '--steps', '30,60', '--dwell', '48h');
  await turnout('rollout', 'stop');
  await turnout('rollout', 'start', '--steps', '40,80', '--dwell', '48h');
  await turnout('rollout', 'hold', '--why', 'the scenario ends');
}

/** At least this many jobs have ended by then. */
const ENDED = 20;

/** Jobs stay open at every stage, and webhooks and files wait for a worker. */
async function leaveOpen({ api, services, facts, root }: Stage): Promise<void> {
  const open = async (name: string, input: string | object[], more: Json = {}) => {
    const { json, status, text } = await api.call('/responses', {
      body: { model: MODEL, input, background: true, store: true, ...more },
      headers: { 'idempotency-key': name },
    });
    if (status !== 200) throw new Error(text);
    facts.ids[name] = idOf(json);
    return idOf(json);
  };
  const wasWaiting = await open('running', `${QUESTION} [[sim: tps=4; tokens=60]]`);
  await streaming(wasWaiting);
  await services.kill('llm-worker', 'SIGTERM');
  await services.start('llm-worker', 'llm-worker', {}, root);
  await soon('a second attempt runs', async () => (await callsOf(jobIdOf(wasWaiting))).length > 1);
  const cancelled = await open('cancelled', 'Why? [[sim: tps=4; tokens=60]]');
  await streaming(cancelled);
  await services.kill('context-worker');
  await api.call(`/responses/${cancelled}/cancel`, { method: 'POST' });
  facts.ids['pending-file'] = await upload(api, 'later.html', '<p>Nobody has read this yet.</p>');
  const part = {
    type: 'input_file',
    filename: 'a.txt',
    file_data: `data:text/plain;base64,${Buffer.from(FACT).toString('base64')}`,
  };
  await open('waiting', [{ role: 'user', content: [{ type: 'input_text', text: QUESTION }, part] }]);
  await routed(services, facts.ids['waiting'] ?? '');
  await services.kill('llm-worker');
  await open('staged', `${QUESTION} (staged)`);
  await routed(services, facts.ids['staged'] ?? '');
  await services.kill('router');
  await open('unrouted', `${QUESTION} (unrouted)`);
}

async function upload(api: Api, name: string, text: string): Promise<string> {
  const form = new FormData();
  form.set('purpose', 'user_data');
  form.set('expires_after[anchor]', 'created_at');
  form.set('expires_after[seconds]', '2592000');
  form.set('file', new Blob([text]), name);
  const { json, text: problem, status } = await api.call('/files', { method: 'POST', body: form });
  if (status !== 200) throw new Error(problem);
  return idOf(json);
}

/** Waits until the model has sent text for the job. */
async function streaming(id: string): Promise<void> {
  const begun = async () => (await callsOf(jobIdOf(id))).some(({ completionTokens }) => completionTokens > 1);
  await soon(`${id} streams`, begun);
}

/** Waits until the router has decided the job. */
async function routed({ logs }: RunningServices, id: string): Promise<void> {
  const lines = () => readFileSync(join(logs, 'router.log'), 'utf8').split('\n');
  await soon(`${id} is routed`, () =>
    lines().some((line) => line.includes(jobIdOf(id)) && line.includes('Using LiteLLM path')),
  );
}

async function soon(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  if (!(await until(isSo, { timeoutMs: 60_000 }))) throw new Error(`Not within 60 s: ${what}`);
}
