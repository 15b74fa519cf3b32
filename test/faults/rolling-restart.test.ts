import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type Summary } from '../../services/metrics/summary.ts';
import { serviceNames, type ServiceName } from '../../stack/services.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { readStream } from './support/reading.ts';
import { ask, callsOf, undisturbed } from './support/simulator.ts';
import {
  type Answer,
  type Asking,
  startSteadyClients,
  type SteadyClients,
} from './support/steady-clients.ts';

/** Twelve processes are stopped and started, one after another. */
jest.setTimeout(180_000);

const twinOf = (name: ServiceName) => `${name}-2`;

describe('when every process is restarted, one after another, under load', () => {
  let services: RunningServices;
  let load: SteadyClients;
  let answers: Answer[];

  beforeAll(async () => {
    services = await startServices();
    await Promise.all(serviceNames.map((name) => services.start(name, twinOf(name))));
    load = startSteadyClients({
      urls: [services.url, services.urlOf('ingress-2')],
      apiKey: testEnv().TURNOUT_API_KEY,
      askings: await askings(services.url),
      clients: 8,
    });
    for (const name of [...serviceNames].reverse()) await restartBoth(name);
    answers = await load.stop();
  });

  afterAll(() => services.stop());

  async function restartBoth(name: ServiceName): Promise<void> {
    for (const instance of [name, twinOf(name)]) {
      await someAnswers();
      await services.kill(instance, 'SIGTERM');
      await services.start(name, instance);
    }
  }

  /** Waits for some answers before the next process is stopped. */
  async function someAnswers(): Promise<void> {
    const enough = load.answered() + 8;
    const came = await until(() => load.answered() >= enough, { timeoutMs: 30_000 });
    if (!came) throw new Error('The clients received no further answers within 30 s');
  }

  test('no client sees an error: each answer is complete and correct at the first try', () => {
    expect(answers.map(({ complaint }) => complaint).filter((complaint) => complaint !== undefined)).toEqual(
      [],
    );
    expect(answers.length).toBeGreaterThan(100);
  });

  test('the model is called once for each answer', async () => {
    const calls = await Promise.all(answers.map(({ jobId }) => callsOf(jobId ?? '')));
    expect(calls.filter(({ length }) => length !== 1)).toEqual([]);
  });

  test('the metrics count each job once', async () => {
    const expected = answers.length + 1; // the question about the document, asked before the load
    const completed = async () => {
      const response = await fetch(`${services.urlOf('metrics')}/summary`);
      return ((await response.json()) as Summary).completed;
    };
    await until(async () => (await completed()) >= expected, { timeoutMs: 20_000 });
    expect(await completed()).toBe(expected);
  });

  test.each([...serviceNames])('%s stops in time', (name) => {
    for (const instance of [name, twinOf(name)]) {
      const log = readFileSync(join(services.logs, `${instance}.log`), 'utf8');
      expect(log).toContain('Service stopped');
      expect(log).not.toContain('killed by timeout');
      expect(log).not.toContain('could not be released');
    }
  });
});

async function askings(url: string): Promise<Asking[]> {
  const plain = ['tokens=20; tps=15', 'tokens=40; tps=20', 'tokens=8; tps=0', 'tokens=12; tps=15; ttft=500'];
  const bodies = plain.map((knobs) => ({
    model: 'turnout-sim',
    messages: ask('Where does the line from the harbour end?', knobs),
  }));
  const direct = bodies.map(async (body) => ({ body, expected: await undisturbed(body) }));
  return Promise.all([...direct, documentAsking(url)]);
}

/** We write the prompt for a document, so the expected answer comes from the undisturbed system. */
async function documentAsking(url: string): Promise<Asking> {
  const document = Buffer.from('The line from the harbour ends at platform 4.').toString('base64');
  const file = { filename: 'notes.txt', file_data: `data:text/plain;base64,${document}` };
  const text = 'Where does the line end? [[sim: tokens=20; tps=15]]';
  const content = [
    { type: 'file', file },
    { type: 'text', text },
  ];
  const body = { model: 'turnout-sim', messages: [{ role: 'user', content }] };
  const reading = readStream({ url, apiKey: testEnv().TURNOUT_API_KEY, body });
  await reading.over;
  if (!reading.done()) throw new Error(`The undisturbed system did not answer: ${String(reading.error())}`);
  return { body, expected: reading.text() };
}
