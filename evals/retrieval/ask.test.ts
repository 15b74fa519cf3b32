import { expect, test } from '@jest/globals';
import { type Embeddings } from '../../services/context-worker/embeddings/embeddings.ts';
import { askAll } from './ask.ts';
import { embedAll, indexDocument } from './rankings.ts';
import { toTask } from './report.ts';

/** A model that only distinguishes whether a text is about trains, by either of two words. */
const embeddings: Embeddings = {
  model: 'trains',
  embed: (texts) =>
    Promise.resolve(
      texts.map((text) => (/train|locomotive/i.test(text) ? Float32Array.of(1, 0) : Float32Array.of(0, 1))),
    ),
};

test('answers that only embeddings find are distinguished from answers that only words find', async () => {
  const facts = [...Array<string>(12).fill(''), 'The locomotive departs at nine. ', 'The mayor was Berta. '];
  const quiet = 'All is quiet in the village. '.repeat(20);
  const text = facts.map((fact, n) => `# ${n}\n\n${fact}${quiet}`).join('\n\n');
  const at = (answer: string) => ({ start: text.indexOf(answer), end: text.indexOf(answer) + answer.length });
  const questions = [
    { text: 'When does a train go?', answer: at('nine') },
    { text: 'Which mayor?', answer: at('Berta') },
  ];
  const document = await indexDocument({ text, questions }, embeddings);
  const vectors = await embedAll(
    questions.map((one) => one.text),
    embeddings,
  );
  const asked = askAll([document], vectors);
  expect(asked.map(({ ranks }) => ranks)).toEqual([
    { bm25: 13, embeddings: 1, hybrid: 1 },
    { bm25: 1, embeddings: 13, hybrid: 1 },
  ]);
  const task = toTask('each', [document], asked);
  expect(task).toMatchObject({ questions: 2, cut: 0, gained: 1, lost: 0 });
});
