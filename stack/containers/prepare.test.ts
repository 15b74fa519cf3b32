import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { parseConfig } from '../../shared/platform/config/load.ts';
import { prepareContainers } from './prepare.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'turnout-prepare-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const places = { fragments: '../app/deploy/litellm', simulatorUrl: 'http://simulator:14010' };
const run = (env: Record<string, string> = {}) => prepareContainers(folder, env, places);
const read = (name: string) => readFileSync(join(folder, name), 'utf8');
const services = () => parseEnv(read('.env'));

test('without a provider the simulated models are used, and all users are on LiteLLM', () => {
  expect(run()).toEqual(['api-keys.json', '.env', 'client.env', 'litellm.yaml', 'litellm-master-key']);
  expect(parseConfig(services())).toMatchObject({
    MIGRATION_PHASE: 3,
    LEGACY_BASE_URL: 'http://simulator:14010/v1',
    LITELLM_MASTER_KEY: read('litellm-master-key'),
  });
  expect(read('litellm.yaml')).toContain('../app/deploy/litellm/simulator.yaml');
});

test('generated secrets are kept, and settings follow the environment', () => {
  run();
  const before = services();
  run({ MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: '15', LOG_LEVEL: '' });
  expect(services()).toEqual({ ...before, MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: '15' });
});

test('the services get no provider keys, and no addresses from the environment', () => {
  run({ OPENAI_API_KEY: 'sk-of-nobody', KAFKA_BROKERS: 'elsewhere:9092', PORT: '80', UNKNOWN: 'x' });
  expect(read('.env')).not.toMatch(/sk-of-nobody|elsewhere|PORT|UNKNOWN|LEGACY/);
  expect(read('litellm.yaml')).toContain('openai.yaml');
});

test('a value with quotes and JSON is preserved', () => {
  const sources = `[{"name":"wiki","url":"https://rag.example.com/it's"}]`;
  run({ RETRIEVAL_SOURCES: sources });
  expect(services()['RETRIEVAL_SOURCES']).toBe(sources);
});

test('an invalid setting is named, and nothing is written', () => {
  run();
  const before = read('.env');
  expect(() => run({ LITELLM_PERCENTAGE: '101' })).toThrow('LITELLM_PERCENTAGE: "101" is not valid');
  expect(read('.env')).toBe(before);
});

test("only the containers' user can read the files", () => {
  for (const name of run()) expect(statSync(join(folder, name)).mode & 0o077).toBe(0);
});
