import { expect, test } from '@jest/globals';
import { callTargets } from './call-targets.ts';

const RULES = { path: 'litellm', model: 'a', fallbacks: ['b'], legacyFallback: true } as const;

test('LiteLLM’s failures are the legacy path’s to answer, before another model is', () => {
  expect(callTargets(RULES)).toEqual([
    { path: 'litellm', model: 'a' },
    { path: 'legacy', model: 'a' },
    { path: 'litellm', model: 'b' },
  ]);
});

test('without that only other models are tried', () => {
  expect(callTargets({ ...RULES, legacyFallback: false }).map(({ path }) => path)).toEqual([
    'litellm',
    'litellm',
  ]);
});

test('nobody falls back to LiteLLM', () => {
  expect(callTargets({ ...RULES, path: 'legacy' })).toEqual([
    { path: 'legacy', model: 'a' },
    { path: 'legacy', model: 'b' },
  ]);
});
