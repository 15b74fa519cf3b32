import { expect, test } from '@jest/globals';
import { readEnvFile } from './env-file.ts';

const known = new Set(['LITELLM_PERCENTAGE', 'RETRIEVAL_SOURCES', 'OPENAI_API_KEY']);
const problemsOf = (text: string) =>
  readEnvFile(text, known).problems.map(({ line, message }) => `${line}: ${message}`);

test('settings, comments, empty lines and values over several lines are read without a warning', () => {
  const text = `# A comment
export OPENAI_API_KEY="sk-1" # one
LITELLM_PERCENTAGE = 5

RETRIEVAL_SOURCES='[
  {"name": "wiki"}
]'
`;
  expect(readEnvFile(text, known)).toEqual({
    settings: {
      OPENAI_API_KEY: 'sk-1',
      LITELLM_PERCENTAGE: '5',
      RETRIEVAL_SOURCES: '[\n  {"name": "wiki"}\n]',
    },
    problems: [],
  });
});

test.each([
  [
    'LITELM_PERCENTAGE=5',
    '1: LITELM_PERCENTAGE is not a setting and is ignored; .env.example lists all settings',
  ],
  [
    'litellm_percentage=5',
    '1: litellm_percentage is not a setting and is ignored; .env.example lists all settings',
  ],
  ['LITELLM_PERCENTAGE: 5', '1: is not NAME=value and is ignored'],
  ['# ok\r\nset LITELLM_PERCENTAGE 5\r\n', '2: is not NAME=value and is ignored'],
  ['=5', '1: is not NAME=value and is ignored'],
  ['OPENAI_API_KEY="sk-1\nLITELLM_PERCENTAGE=5', '1: OPENAI_API_KEY: the quote is not closed'],
  ['LITELLM_PERCENTAGE=5\nLITELLM_PERCENTAGE=7', '2: LITELLM_PERCENTAGE replaces the value of line 1'],
])('%j causes a warning', (text, problem) => expect(problemsOf(text)).toEqual([problem]));

test('a warning never shows a value', () => {
  expect(problemsOf('OPENAI_KEY=sk-secret\nsk-secret').join()).not.toContain('sk-secret');
});
