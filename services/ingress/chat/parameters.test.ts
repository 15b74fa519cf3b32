import { describe, expect, test } from '@jest/globals';
import { createParameterCheck } from './parameters.ts';

const check = createParameterCheck(['house_special']);
const base = { model: 'm', messages: [] };

describe('accepts', () => {
  test.each([
    ["OpenAI's parameters", { temperature: 1, store: true, metadata: {}, verbosity: 'low' }],
    ['parameters that LiteLLM passes on', { top_k: 40, thinking: { type: 'enabled' } }],
    ['parameters allowed by the operator', { house_special: 1 }],
    ['text as the only modality', { modalities: ['text'] }],
    ['an unsupported parameter that is null', { audio: null, functions: null }],
  ])('%s', (_name, more) => expect(() => check({ ...base, ...more })).not.toThrow());
});

describe('rejects and names', () => {
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

  test('a modality other than text', () => {
    expect(() => check({ ...base, modalities: ['text', 'audio'] })).toThrow(
      expect.objectContaining({ code: 'unsupported_parameter', param: 'modalities' }),
    );
  });
});
