import { expect, test } from '@jest/globals';
import { type Assistant, readAssistant } from '../../../shared/content/assistants/assistant-file.ts';
import {
  assistantModels,
  type AssistantSelection,
  selectionOf,
  type SelectionRules,
} from './assistant-selection.ts';

function assistant(name: string, more = ''): Assistant {
  const read = readAssistant(`{ name: ${name}, description: d, instructions: i${more} }`);
  if ('name' in read) return read;
  throw new Error(read.join());
}

const assistants = [assistant('law'), assistant('pay', ', access: { groups: [staff] }')];
const member = { keyId: 'k', user: 'ada', groups: ['staff'], admin: false };
const guest = { keyId: 'k', user: 'bob', groups: [], admin: false };
const asked: SelectionRules = { assistants, selection: 'asked', defaultModel: 'd' };
const always: SelectionRules = { ...asked, selection: 'always' };
const none: SelectionRules = { ...asked, assistants: [], defaultModel: undefined };

test.each<[string | undefined, string, SelectionRules, AssistantSelection]>([
  [undefined, 'gpt', asked, { model: 'gpt', assistant: undefined }],
  ['none', 'gpt', always, { model: 'gpt', assistant: undefined }],
  ['auto', 'gpt', asked, { model: 'gpt', assistant: {} }],
  ['law', 'gpt', asked, { model: 'gpt', assistant: { asked: 'law' } }],
  ['law', 'auto', asked, { model: 'auto', assistant: { asked: 'law' } }],
  [undefined, 'auto', asked, { model: 'auto', assistant: {} }],
  ['none', 'auto', asked, { model: 'd', assistant: undefined }],
  [undefined, 'assistant/law', asked, { model: 'auto', assistant: { asked: 'law' } }],
  ['law', 'assistant/law', asked, { model: 'auto', assistant: { asked: 'law' } }],
  [undefined, 'gpt', always, { model: 'gpt', assistant: {} }],
  // Without assistants, these are ordinary model names.
  [undefined, 'auto', none, { model: 'auto', assistant: undefined }],
  ['none', 'auto', none, { model: 'auto', assistant: undefined }],
  [undefined, 'assistant/law', none, { model: 'assistant/law', assistant: undefined }],
])('the header %s and the model %s', (said, model, rules, expected) => {
  expect(selectionOf({ said, model, caller: member }, rules)).toEqual(expected);
});

test.each([
  ['pay', 'gpt', 'assistant_not_found', 'x-turnout-assistant'],
  ['nobody', 'gpt', 'assistant_not_found', 'x-turnout-assistant'],
  [undefined, 'assistant/pay', 'assistant_not_found', 'model'],
  [undefined, 'assistant/', 'assistant_not_found', 'model'],
  ['none', 'assistant/law', 'invalid_value', 'x-turnout-assistant'],
])('the header %s and the model %s of a guest: %s', (said, model, code, param) => {
  const ask = () => selectionOf({ said, model, caller: guest }, asked);
  expect(ask).toThrow(expect.objectContaining({ code, param }));
});

test('the model auto is invalid without an assistant and a default model', () => {
  const rules = { ...asked, defaultModel: undefined };
  const ask = () => selectionOf({ said: 'none', model: 'auto', caller: guest }, rules);
  expect(ask).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'model' }));
});

test('a caller finds their assistants among the models', () => {
  expect(assistantModels(assistants, member)).toEqual(['auto', 'assistant/law', 'assistant/pay']);
  expect(assistantModels(assistants, guest)).toEqual(['auto', 'assistant/law']);
  expect(assistantModels([], guest)).toEqual([]);
});
