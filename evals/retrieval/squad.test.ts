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

test('joining the paragraphs of an article, and joining articles, keeps every answer at its position', () => {
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

test('a question without an answer is left out, and only the first of several answers counts', () => {
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

test('data with an answer that is not at its position is refused', () => {
  const qas = [{ question: 'Which?', answers: [{ text: 'two', answer_start: 6 }] }];
  expect(() => parseSquad(dataOf([{ context: 'One or two.', qas }]))).toThrow('is not at its position');
});
