import { expect, test } from '@jest/globals';
import { addUsage } from './usage.ts';

test('the usage of two calls is their sum, including details', () => {
  const first = {
    prompt_tokens: 1,
    completion_tokens: 2,
    total_tokens: 3,
    completion_tokens_details: { reasoning_tokens: 4 },
  };
  const second = {
    prompt_tokens: 10,
    completion_tokens: 20,
    total_tokens: 30,
    completion_tokens_details: { reasoning_tokens: 40 },
  };
  expect(addUsage(first, second)).toEqual({
    prompt_tokens: 11,
    completion_tokens: 22,
    total_tokens: 33,
    completion_tokens_details: { reasoning_tokens: 44 },
  });
});

test('details that only one call reports are kept', () => {
  const plain = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  const detailed = { ...plain, prompt_tokens_details: { cached_tokens: 5 } };
  expect(addUsage(plain, detailed)).toMatchObject({ prompt_tokens_details: { cached_tokens: 5 } });
});
