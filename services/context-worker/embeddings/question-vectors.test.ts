import { expect, test } from '@jest/globals';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Embeddings } from './embeddings.ts';
import { createQuestionVectors } from './question-vectors.ts';

const call = (jobId = 'job_1') => ({
  signal: new AbortController().signal,
  timeoutMs: 1_000,
  jobId,
  user: 'u',
});

function ground(answer: () => Promise<Float32Array[]> = () => Promise.resolve([Float32Array.of(1)])) {
  const asked: string[] = [];
  const embeddings: Embeddings = { model: 'm', embed: ([text]) => (asked.push(text ?? ''), answer()) };
  return { asked, questions: createQuestionVectors(embeddings, (_text, { signal }, make) => make(signal)) };
}

test('a question to many documents at once is embedded once', async () => {
  const { asked, questions } = ground();
  const vectors = await Promise.all(Array.from({ length: 5 }, () => questions.of('When?', call())));
  expect(asked).toEqual(['When?']);
  expect(vectors).toEqual(Array.from({ length: 5 }, () => Float32Array.of(1)));
});

test('another job embeds its own question', async () => {
  const { asked, questions } = ground();
  await questions.of('When?', call('job_1'));
  await questions.of('When?', call('job_2'));
  expect(asked).toHaveLength(2);
});

test('a failure is not remembered: the next call embeds again', async () => {
  const { asked, questions } = ground(() => Promise.reject(new TurnoutError('upstream_failed')));
  await expect(questions.of('When?', call())).rejects.toThrow();
  await expect(questions.of('When?', call())).rejects.toThrow();
  expect(asked).toHaveLength(2);
});

test('an aborted call does not abort the others', async () => {
  const answer = Promise.withResolvers<Float32Array[]>();
  const { questions } = ground(() => answer.promise);
  const controller = new AbortController();
  const first = questions.of('When?', { ...call(), signal: controller.signal });
  const second = questions.of('When?', call());
  controller.abort(new Error('too late'));
  await expect(first).rejects.toThrow('too late');
  answer.resolve([Float32Array.of(2)]);
  expect(await second).toEqual(Float32Array.of(2));
});

test('of a long question both ends are embedded, and the number of remembered questions is limited', async () => {
  const { asked, questions } = ground();
  await questions.of(`begin ${'x'.repeat(10_000)} end`, call());
  expect(asked[0]).toMatch(/^begin x+\nx+ end$/);
  expect(asked[0]?.length).toBeLessThan(2_100);
  for (let n = 0; n < 300; n += 1) await questions.of(`question ${n}`, call());
  await questions.of('question 0', call());
  expect(asked.filter((text) => text === 'question 0')).toHaveLength(2);
});
