import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { repositoryRoot } from '../../stack/layout.ts';
import { testEnv } from '../harness/env.ts';
import { type RolloutSystem, startRollout } from '../harness/rollout.ts';

/** Runs every command of the runbook, in its order, as an operator types it. */
jest.setTimeout(120_000);

const ADMIN_KEY = 'an-admin-key-of-the-runbook';
const text = readFileSync(join(repositoryRoot, 'docs/operations/runbook.md'), 'utf8');

interface Block {
  heading: string;
  commands: string;
}

function blocksOf(markdown: string): Block[] {
  let heading = '';
  return markdown.split(/^(?=#)/m).flatMap((section) => {
    heading = /^#+ (.*)/.exec(section)?.[1] ?? heading;
    return [...section.matchAll(/^```sh\n(.*?)^```/gms)].map(([, commands = '']) => ({ heading, commands }));
  });
}

let system: RolloutSystem | undefined;

beforeAll(async () => {
  const env = { LITELLM_PERCENTAGE: '50', TURNOUT_ADMIN_KEY: ADMIN_KEY };
  system = await startRollout(env, 20);
  await system.stateThat(({ epoch }) => epoch >= 1);
  await system.askAll();
}, 120_000);
afterAll(async () => {
  await system?.stop();
}, 60_000);

interface Ran {
  code: number;
  output: string;
}

function run(commands: string, { services, logFile }: RolloutSystem): Promise<Ran> {
  const { KAFKA_BROKERS, REDIS_URL } = testEnv();
  const env = {
    PATH: process.env['PATH'],
    KAFKA_BROKERS,
    REDIS_URL,
    LOG: logFile,
    TOPIC_PREFIX: services.prefix,
    REDIS_PREFIX: services.prefix,
    METRICS_URL: services.urlOf('metrics'),
    TURNOUT_ADMIN_KEY: ADMIN_KEY,
  };
  const own = commands.replace(/^LOG=.*$/m, '');
  return new Promise((resolve) => {
    execFile('sh', ['-ec', own], { cwd: repositoryRoot, env }, (error, out, err) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, output: out + err });
    });
  });
}

describe('the commands in the runbook work', () => {
  test.each(blocksOf(text))('$heading: $commands', async ({ commands }) => {
    if (system === undefined) throw new Error('The system is not running');
    const { code, output } = await run(commands, system);
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(/^Refused/m.test(output)).toBe(commands.includes('refused, as it should be'));
  });
});

test('the services log the phrases that the runbook says to look for', () => {
  const phrases = [...text.matchAll(/grep (?:-\w+ )?"([A-Z][^"]*)"/g)].flatMap(([, phrase = '']) =>
    phrase.split('\\|'),
  );
  const sources = globSync('{services,shared}/**/*.ts', { cwd: repositoryRoot }).filter(
    (file) => !file.endsWith('.test.ts'),
  );
  const said = sources.map((file) => readFileSync(join(repositoryRoot, file), 'utf8')).join('\n');
  expect(phrases.length).toBeGreaterThan(8);
  expect(phrases.filter((phrase) => !said.includes(phrase))).toEqual([]);
});
