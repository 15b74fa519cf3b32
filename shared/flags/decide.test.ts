import { expect, test } from '@jest/globals';
import { decide } from './decide.ts';

test('everyone is on LiteLLM', () => {
  expect(decide({ enableLitellm: true })).toEqual({ path: 'litellm', reason: 'default', epoch: 0 });
});

test('the emergency switch sends everyone to the legacy path', () => {
  expect(decide({ enableLitellm: false })).toEqual({ path: 'legacy', reason: 'disabled', epoch: 0 });
});
