import { expect, test } from '@jest/globals';
import { parseSquad, together } from './squad.ts';

const paragraph = (context: string, ...answers: string[]) => ({
  context,
  qas: answers.map((text) => ({
    question: `What is ${text}?`,
    answers: [{ text, answer_start: context.indexOf(text) }],
  })),
});
const dataOf = (...articles: object[][]) =>
  JSON.stringify({ data: articles.map((paragraphs) => ({ paragraphs })) });

test('an article is its paragraphs put together, and articles are put together likewise: every answer stays at its place', () => {
  const articles = parseSquad(
    dataOf(
      [paragraph('A red fox.', 'red'), paragraph('The same red again.', 'red', 'again')],
      [paragraph('Blue.', 'Blue')],
    ),
  );
  expect(articles.map(({ text }) => text)).toEqual(['A red fox.\n\nThe same red again.', 'Blue.']);
  const all = together(articles);
  for (const { text, questions } of [...articles, all])
    for (const question of questions)
      expect(question.text).toBe(`What is ${text.slice(question.answer.start, question.answer.end)}?`);
  expect(all.questions.map(({ answer }) => answer.start)).toEqual([2, 21, 25, 33]);
});

test('a question without an answer is left out; of several answers the first one counts', () => {
  const context = 'One or two.';
  const answers = [
    { text: 'two', answer_start: 7 },
    { text: 'One', answer_start: 0 },
  ];
  const qas = [
    { question: 'Which?', answers },
    { question: 'Why?', answers: [] },
  ];
  const [article] = parseSquad(dataOf([{ context, qas }]));
  expect(article?.questions).toEqual([{ text: 'Which?', answer: { start: 7, end: 10 } }]);
});

test('data whose answers do not stand at their places is refused', () => {
  const qas = [{ question: 'Which?', answers: [{ text: 'two', answer_start: 6 }] }];
  expect(() => parseSquad(dataOf([{ context: 'One or two.', qas }]))).toThrow('does not stand at its place');
});
