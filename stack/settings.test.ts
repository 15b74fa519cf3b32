import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { configSchema } from '../shared/platform/config/schema.ts';
import { repositoryRoot } from './layout.ts';
import { mergeSettings, variablesOf } from './settings.ts';

const known = ['ENABLE_LITELLM', 'LOG_LEVEL', 'REDIS_URL', 'OPENAI_API_KEY', 'PORT'];

describe('settings', () => {
  test('come from .env, and flags in the shell override them', () => {
    const merged = mergeSettings(
      { ENABLE_LITELLM: 'true', LOG_LEVEL: 'debug' },
      { ENABLE_LITELLM: 'false' },
      known,
    );
    expect(merged).toEqual({ ENABLE_LITELLM: 'false', LOG_LEVEL: 'debug' });
  });

  test('empty values count as not set', () => {
    expect(mergeSettings({ LOG_LEVEL: '', REDIS_URL: '' }, { ENABLE_LITELLM: '' }, known)).toEqual({});
  });

  test('addresses, ports and provider keys are taken from .env, but not from the shell', () => {
    const shell = { REDIS_URL: 'redis://elsewhere', PORT: '1', OPENAI_API_KEY: 'sk-1', UNKNOWN: 'x' };
    expect(mergeSettings({}, shell, known)).toEqual({});
    expect(mergeSettings(shell, {}, known)).toEqual(shell);
  });

  test('.env.example lists every variable of the services', () => {
    const example = readFileSync(join(repositoryRoot, '.env.example'), 'utf8');
    expect(variablesOf(example)).toEqual(expect.arrayContaining(Object.keys(configSchema.shape)));
  });
});
