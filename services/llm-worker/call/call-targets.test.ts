import { expect, test } from '@jest/globals';
import { callTargets } from './call-targets.ts';

const RULES = { backend: 'litellm', model: 'a', fallbacks: ['b'], legacyFallback: true } as const;

test('when LiteLLM fails, the legacy backend is tried before another model', () => {
  expect(callTargets(RULES)).toEqual([
    { backend: 'litellm', model: 'a' },
    { backend: 'legacy', model: 'a' },
    { backend: 'litellm', model: 'b' },
  ]);
});

test('without the legacy fallback only other models are tried', () => {
  expect(callTargets({ ...RULES, legacyFallback: false }).map(({ backend }) => backend)).toEqual([
    'litellm',
    'litellm',
  ]);
});

test('a job on the legacy backend never falls back to LiteLLM', () => {
  expect(callTargets({ ...RULES, backend: 'legacy' })).toEqual([
    { backend: 'legacy', model: 'a' },
    { backend: 'legacy', model: 'b' },
  ]);
});
