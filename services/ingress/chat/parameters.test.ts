import { describe, expect, test } from '@jest/globals';
import { createParameterCheck } from './parameters.ts';

const check = createParameterCheck(['house_special']);
const base = { model: 'm', messages: [] };

describe('goes through', () => {
  test.each([
    ["OpenAI's own", { temperature: 1, store: true, metadata: {}, verbosity: 'low' }],
    ['what LiteLLM passes on', { top_k: 40, thinking: { type: 'enabled' } }],
    ['what the operator lets pass', { house_special: 1 }],
    ['text as the modality', { modalities: ['text'] }],
    ['an unsupported one that is null', { audio: null, functions: null }],
  ])('%s', (_name, more) => expect(() => check({ ...base, ...more })).not.toThrow());
});

describe('is refused by name', () => {
  test.each([
    ['max_token', 'unknown_parameter'],
    ['api_base', 'unknown_parameter'],
    ['mock_response', 'unknown_parameter'],
    ['constructor', 'unknown_parameter'],
    ['functions', 'unsupported_parameter'],
    ['audio', 'unsupported_parameter'],
  ])('%s', (name, code) => {
    expect(() => check({ ...base, [name]: {} })).toThrow(expect.objectContaining({ code, param: name }));
  });

  test('a modality that is not text', () => {
    expect(() => check({ ...base, modalities: ['text', 'audio'] })).toThrow(
      expect.objectContaining({ code: 'unsupported_parameter', param: 'modalities' }),
    );
  });
});
