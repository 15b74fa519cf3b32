import { expect, test } from '@jest/globals';
import { callTargets } from './call-targets.ts';

const RULES = { backend: 'litellm', model: 'a', fallbacks: ['b'], legacyFallback: true } as const;

test('LiteLLM’s failures are the legacy path’s to answer, before another model is', () => {
  expect(callTargets(RULES)).toEqual([
    { backend: 'litellm', model: 'a' },
    { backend: 'legacy', model: 'a' },
    { backend: 'litellm', model: 'b' },
  ]);
});

test('without that only other models are tried', () => {
  expect(callTargets({ ...RULES, legacyFallback: false }).map(({ backend }) => backend)).toEqual([
    'litellm',
    'litellm',
  ]);
});

test('nobody falls back to LiteLLM', () => {
  expect(callTargets({ ...RULES, backend: 'legacy' })).toEqual([
    { backend: 'legacy', model: 'a' },
    { backend: 'legacy', model: 'b' },
  ]);
});
