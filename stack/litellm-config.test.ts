import { describe, expect, test } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { repositoryRoot } from './layout.ts';
import {
  baseAddresses,
  incompleteCredentials,
  litellmConfig,
  providerVariables,
  usesSimulator,
} from './litellm-config.ts';

const azure = { AZURE_API_KEY: 'secret-key', AZURE_API_BASE: 'https://example.test', AZURE_API_VERSION: '1' };

describe("LiteLLM's config", () => {
  test.each([
    ['no credentials', {}, ['settings', 'simulator']],
    ['an OpenAI key', { OPENAI_API_KEY: 'x' }, ['settings', 'openai']],
    ['two providers', { OPENAI_API_KEY: 'x', GEMINI_API_KEY: 'y' }, ['settings', 'openai', 'gemini']],
    ['incomplete credentials', { AWS_ACCESS_KEY_ID: 'x' }, ['settings', 'simulator']],
    [
      'a provider and TURNOUT_SIMULATOR=true',
      { OPENAI_API_KEY: 'x', TURNOUT_SIMULATOR: 'true' },
      ['settings', 'simulator', 'openai'],
    ],
  ])('with %s', (_case, settings: Record<string, string>, fragments) => {
    const config = litellmConfig(settings, 'folder');
    const included = [...config.matchAll(/"folder\/(\w+)\.yaml"/g)].map((match) => match[1]);
    expect(included).toEqual(fragments);
    expect(usesSimulator(settings)).toBe(fragments.includes('simulator'));
    for (const name of fragments) {
      expect(existsSync(join(repositoryRoot, 'deploy', 'litellm', `${name}.yaml`))).toBe(true);
    }
  });

  test('lists the deployments of AZURE_DEPLOYMENTS, and refers to keys without containing them', () => {
    const config = litellmConfig({ ...azure, AZURE_DEPLOYMENTS: 'chat, small' }, 'folder');
    expect(config).toContain('"azure/chat"');
    expect(config).toContain('"azure/small"');
    expect(config).toContain('os.environ/AZURE_API_KEY');
    expect(config).not.toContain('secret-key');
  });

  test("an address replaces the provider's own only if the settings name it, not if only the shell does", () => {
    const endpoint = 'https://vpce-1.bedrock-runtime.eu-central-1.vpce.amazonaws.com';
    expect(baseAddresses({ AWS_BEDROCK_RUNTIME_ENDPOINT: endpoint })).toEqual({
      OPENAI_BASE_URL: '',
      OPENAI_API_BASE: '',
      GEMINI_API_BASE: '',
      AWS_BEDROCK_RUNTIME_ENDPOINT: endpoint,
    });
    expect(providerVariables).toEqual(expect.arrayContaining(['OPENAI_BASE_URL', 'GEMINI_API_BASE']));
  });

  test('a server that needs no key gets a placeholder, because LiteLLM calls no server without a key', () => {
    const server = {
      OPENAI_COMPATIBLE_BASE_URL: 'http://127.0.0.1:11434/v1',
      OPENAI_COMPATIBLE_MODELS: 'tiny',
    };
    expect(litellmConfig(server, 'folder')).toContain('"api_key": "none"');
    const keyed = litellmConfig({ ...server, OPENAI_COMPATIBLE_API_KEY: 'secret-key' }, 'folder');
    expect(keyed).toContain('"api_key": "os.environ/OPENAI_COMPATIBLE_API_KEY"');
  });

  test('incomplete credentials of a provider cause a warning', () => {
    expect(
      incompleteCredentials({ AWS_ACCESS_KEY_ID: 'x', AWS_REGION_NAME: 'y', OPENAI_API_KEY: 'z' }),
    ).toEqual([
      'AWS_ACCESS_KEY_ID and AWS_REGION_NAME have no effect without AWS_SECRET_ACCESS_KEY: the provider needs all of them',
    ]);
    expect(incompleteCredentials({})).toEqual([]);
  });

  test('credentials without model names are an error that names the missing variable', () => {
    expect(() => litellmConfig(azure, 'folder')).toThrow('AZURE_DEPLOYMENTS is not');
    const server = { OPENAI_COMPATIBLE_BASE_URL: 'http://127.0.0.1:11434/v1' };
    expect(() => litellmConfig(server, 'folder')).toThrow('OPENAI_COMPATIBLE_MODELS is not');
  });
});

test('a request cannot make the proxy fetch an internal address: the check of URLs in requests is switched on', () => {
  const settings = readFileSync(join(repositoryRoot, 'deploy', 'litellm', 'settings.yaml'), 'utf8');
  // LiteLLM 1.106 reads it from the general settings (proxy_server.py, `_apply_ssrf_general_settings`).
  expect(parse(settings)).toMatchObject({ general_settings: { user_url_validation: true } });
  expect(settings).not.toContain('user_url_allowed_hosts');
});
