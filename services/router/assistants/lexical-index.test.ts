import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createLexicalIndex } from './lexical-index.ts';

const groups = [
  ['How do I reset my password?', 'I cannot log in to my account'],
  ['Book a train to Ostheim', 'When does the night train leave?'],
  ['What is the weather like tomorrow?'],
];
const index = createLexicalIndex(groups);

function best(text: string): number {
  const scores = [...index.score(text)];
  return scores.indexOf(Math.max(...scores));
}

test.each([
  ['reset the password of my account please', 0],
  ['which train leaves for Ostheim tonight', 1],
  ['passwords resetting', 0],
  ['weather', 2],
])('%s is most similar to group %i', (text, group) => {
  expect(best(text)).toBe(group);
});

test('unknown words lower every score', () => {
  const [alone] = index.score('reset my password');
  const [among] = index.score('reset my password quokka zeppelin marmalade yonder');
  expect(among).toBeLessThan(alone ?? 0);
  expect(Math.max(...index.score('quokka zeppelin marmalade'))).toBeLessThan(0.05);
});

test.each(['', '?!', '\n'])('a text without words (%j) scores 0 everywhere', (text) => {
  expect([...index.score(text)]).toEqual([0, 0, 0]);
});

test('without groups there are no scores, and groups without texts score 0', () => {
  expect([...createLexicalIndex([]).score('anything')]).toEqual([]);
  expect([...createLexicalIndex([[], ['']]).score('anything')]).toEqual([0, 0]);
});

test('any text has finite scores, the same each time', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
      const scores = [...index.score(text)];
      expect(scores.every((score) => Number.isFinite(score))).toBe(true);
      expect([...index.score(text)]).toEqual(scores);
      expect([...createLexicalIndex(groups).score(text)]).toEqual(scores);
    }),
  );
});

test('an example of a group is most similar to its own group, in upper case too', () => {
  const examples = groups.flatMap((texts, group) => texts.map((text) => ({ text, group })));
  for (const { text, group } of examples) expect(best(text.toUpperCase())).toBe(group);
});
