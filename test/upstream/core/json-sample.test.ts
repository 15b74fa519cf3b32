import { expect, test } from '@jest/globals';
import { sampleFromSchema } from './json-sample.ts';

const hints = {
  text: 'Set colour: green for "New York" at level 250, mode is fast.',
  fallback: (name: string) => `<${name}>`,
};

test.each<[string, Record<string, unknown>, unknown]>([
  ['a string that the text mentions', { properties: { colour: { type: 'string' } } }, { colour: 'green' }],
  [
    'a string that the text does not mention',
    { properties: { name: { type: 'string' } } },
    { name: '<name>' },
  ],
  ['lengths', { type: 'string', minLength: 5, maxLength: 6 }, '<>...'],
  ['a format', { type: 'string', format: 'date' }, '2026-01-02'],
  ['an enum value that the text mentions', { enum: ['red', 'green'] }, 'green'],
  ['a constant', { const: 4 }, 4],
  ['a number within its bounds', { type: 'integer', maximum: 10 }, 10],
  ['a nullable', { type: ['null', 'boolean'] }, true],
  ['alternatives', { anyOf: [{ type: 'null' }, { type: 'boolean' }] }, true],
  ['all of', { allOf: [{ properties: { a: { const: 1 } } }, { required: ['a'] }] }, { a: 1 }],
  ['lists', { type: 'array', items: { type: 'boolean' }, minItems: 2 }, [true, true]],
  ['references', { $defs: { yes: { const: 'y' } }, properties: { a: { $ref: '#/$defs/yes' } } }, { a: 'y' }],
])('%s', (_name, schema, value) => {
  expect(sampleFromSchema(schema, hints)).toEqual(value);
});

test('a recursive schema terminates', () => {
  const schema = {
    $defs: {
      node: {
        type: 'object',
        properties: { next: { $ref: '#/$defs/node' }, value: { const: 1 } },
        required: ['value'],
      },
    },
    $ref: '#/$defs/node',
  };
  expect(sampleFromSchema(schema, hints)).toMatchObject({ value: 1, next: { value: 1 } });
});
