import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ConfigError, loadConfig, parseConfig } from './load.ts';

const required = { LITELLM_MASTER_KEY: 'sk-master', TURNOUT_SECRET: 's'.repeat(32) };

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    parseConfig({ ...required, ...env });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('a valid environment', () => {
  test('needs only the two secrets', () => {
    const config = parseConfig(required);
    expect(config).toMatchObject({
      HOST: '127.0.0.1',
      ENABLE_LITELLM: true,
      TOPIC_PREFIX: 'turnout',
      LOG_LEVEL: 'info',
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('treats an empty variable as not set', () => {
    const config = parseConfig({ ...required, PORT: '', LOG_FILE: '', ENABLE_LITELLM: '' });
    expect([config.PORT, config.LOG_FILE, config.ENABLE_LITELLM]).toEqual([0, undefined, true]);
  });

  test('may hold variables of other programs', () => {
    expect(parseConfig({ ...required, EDITOR: 'vi' })).not.toHaveProperty('EDITOR');
  });

  test('names brokers by host and port', () => {
    expect(parseConfig({ ...required, KAFKA_BROKERS: 'a:1,b.c:2' }).KAFKA_BROKERS).toEqual(['a:1', 'b.c:2']);
  });

  test.each([
    ['false', false],
    ['0', false],
    ['off', false],
    ['TRUE', true],
    ['1', true],
  ])('ENABLE_LITELLM=%s is %s', (text, value) => {
    expect(parseConfig({ ...required, ENABLE_LITELLM: text }).ENABLE_LITELLM).toBe(value);
  });
});

describe('an invalid environment', () => {
  test.each([
    [
      { LAME_DUCK_MS: '5000', SHUTDOWN_TIMEOUT_MS: '5000' },
      /^LAME_DUCK_MS must be shorter than SHUTDOWN_TIMEOUT_MS/,
    ],
    [{ DEFAULT_DEADLINE_MS: '86400001' }, /^DEFAULT_DEADLINE_MS must be at most 86400000/],
    [{ RESPONSE_RETENTION_MS: '1000' }, /^RESPONSE_RETENTION_MS must be at least LOG_RETENTION_MS/],
  ])('is rejected if its settings contradict each other (%j)', (env, problem) => {
    expect(problemsOf(env)).toEqual([expect.stringMatching(problem)]);
  });

  test('is reported with every bad variable at once', () => {
    const problems = problemsOf({
      PORT: '70000',
      LOG_LEVEL: 'loud',
      LITELLM_URL: 'nowhere',
      ENABLE_LITELLM: 'perhaps',
    });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'LOG_LEVEL',
      'PORT',
      'LITELLM_URL',
      'ENABLE_LITELLM',
    ]);
  });

  test('is reported with the missing variables', () => {
    expect(problemsOf({ TURNOUT_SECRET: '', LITELLM_MASTER_KEY: '' })).toEqual([
      'LITELLM_MASTER_KEY is required and not set',
      'TURNOUT_SECRET is required and not set',
    ]);
  });

  test('is reported with the bad value', () => {
    expect(problemsOf({ PORT: 'abc' })).toEqual([expect.stringMatching(/^PORT: "abc" is not valid: /)]);
  });

  test.each([
    ['PORT', '1.5'],
    ['PORT', '-1'],
    ['PORT', '0x10'],
    ['PORT', ' 80'],
    ['PORT', '1e3'],
    ['SHUTDOWN_TIMEOUT_MS', '0'],
    ['KAFKA_BROKERS', 'localhost'],
    ['KAFKA_BROKERS', 'a:1,'],
    ['JOB_PARTITIONS', '1001'],
    ['LLM_CONCURRENCY', '10001'],
    ['PORT', ' '],
    ['REDIS_URL', 'http://x'],
    ['TOPIC_PREFIX', 'Has Space'],
    ['LITELLM_URL', 'ftp://x'],
  ])('%s=%s is rejected', (variable, value) => {
    expect(problemsOf({ [variable]: value })).toEqual([expect.stringContaining(variable)]);
  });

  test.each([
    ['TURNOUT_SECRET', 'hush'],
    ['TURNOUT_ADMIN_KEY', 'hush'],
    ['REDIS_URL', 'http://:hush@x'],
    ['LITELLM_URL', 'ftp://user:hush@x'],
    ['LEGACY_BASE_URL', 'ftp://user:hush@x'],
  ])('the value of %s is never shown', (variable, value) => {
    const [problem] = problemsOf({ [variable]: value });
    expect(problem).toMatch(new RegExp(`^${variable}: its value is not valid`));
    expect(problem).not.toContain('hush');
  });
});

describe('RETRIEVAL_SOURCES', () => {
  const wiki = { name: 'wiki', url: 'https://rag.example.org/search', authorization: 'Bearer hush' };
  const parse = (sources: unknown) => ({ RETRIEVAL_SOURCES: JSON.stringify(sources) });

  test('has defaults for settings that are left out', () => {
    expect(parseConfig({ ...required, ...parse([wiki]) }).RETRIEVAL_SOURCES).toEqual([
      {
        ...wiki,
        required: false,
        always: false,
        forwardUser: false,
        private: true,
        timeoutMs: 2_000,
        results: 8,
        tokens: 2_000,
      },
    ]);
    expect(parseConfig(required).RETRIEVAL_SOURCES).toEqual([]);
  });

  test.each([
    ['[0].name', [{ ...wiki, name: 'The Wiki' }]],
    ['[0].url', [{ ...wiki, url: 'file:///etc/passwd' }]],
    ['[1].timeoutMs', [wiki, { ...wiki, name: 'b', timeoutMs: 0 }]],
    ['[0]', [{ ...wiki, timeout: 3 }]],
    ['', [wiki, wiki]],
    ['', { wiki }],
  ])('reports a problem with its path (%s), and without secrets', (place, sources) => {
    const problems = problemsOf(parse(sources));
    expect(problems).toEqual([expect.stringContaining(`RETRIEVAL_SOURCES${place}`)]);
    expect(problems.join()).not.toContain('hush');
  });

  test('that is not JSON is reported without its content', () => {
    expect(problemsOf({ RETRIEVAL_SOURCES: '[{"authorization":"hush"' })).toEqual([
      expect.stringMatching(/^RETRIEVAL_SOURCES: its value is not valid: must be JSON$/),
    ]);
  });
});

describe('the .env file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'turnout-env-'));
  const file = join(folder, '.env');
  const before = { ...process.env };

  afterEach(() => {
    process.env = { ...before };
    rmSync(folder, { recursive: true, force: true });
  });

  test('is overridden by the environment of the process', () => {
    writeFileSync(
      file,
      'PORT=81\nHOST=0.0.0.0\nTURNOUT_SECRET=' + 's'.repeat(32) + '\nLITELLM_MASTER_KEY=k\n',
    );
    process.env = { PORT: '82' };
    expect(loadConfig(file)).toMatchObject({ PORT: 82, HOST: '0.0.0.0' });
  });

  test('may be missing', () => {
    process.env = { ...required };
    expect(loadConfig(join(folder, 'nothing'))).toMatchObject(required);
  });
});

describe('an old name of a setting', () => {
  test('works', () => {
    expect(parseConfig({ ...required, UNREACHABLE_PATIENCE_MS: '7' }).UNREACHABLE_GRACE_MS).toBe(7);
  });

  test('gives way to the new name', () => {
    const both = { ...required, UNREACHABLE_PATIENCE_MS: '7', UNREACHABLE_GRACE_MS: '9' };
    expect(parseConfig(both).UNREACHABLE_GRACE_MS).toBe(9);
  });

  test('of a retrieval source works', () => {
    const source = { name: 'wiki', url: 'https://rag.example.com/search', tellUser: true };
    const { RETRIEVAL_SOURCES } = parseConfig({ ...required, RETRIEVAL_SOURCES: JSON.stringify([source]) });
    expect(RETRIEVAL_SOURCES[0]).toMatchObject({ forwardUser: true });
    expect(RETRIEVAL_SOURCES[0]).not.toHaveProperty('tellUser');
  });
});
