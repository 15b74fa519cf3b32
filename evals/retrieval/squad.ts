import { z } from 'zod';

/** Offsets in a text, in UTF-16 code units. */
export interface AnswerSpan {
  start: number;
  end: number;
}

/** A document, and questions that it answers. Each answer is at one position. */
export interface AskedDocument {
  text: string;
  questions: readonly Question[];
}

export interface Question {
  text: string;
  answer: AnswerSpan;
}

const answer = z.object({ text: z.string().min(1), answer_start: z.int().min(0) });
const paragraph = z.object({
  context: z.string(),
  qas: z.array(z.object({ question: z.string(), answers: z.array(answer) })),
});
const squad = z.object({ data: z.array(z.object({ paragraphs: z.array(paragraph) })) });

/**
 * Parses a data set in SQuAD's format. Each article becomes one document of its joined paragraphs. Only the first of several answers
 * to a question counts; questions without an answer are left out. Throws if an answer is not at its position.
 */
export function parseSquad(json: string): AskedDocument[] {
  return squad
    .parse(JSON.parse(json))
    .data.map(({ paragraphs }) => together(paragraphs.map(toAskedParagraph)));
}

function toAskedParagraph({ context: text, qas }: z.infer<typeof paragraph>): AskedDocument {
  const questions = qas.flatMap(({ question, answers: [first] }) => {
    if (!first) return [];
    const end = first.answer_start + first.text.length;
    if (text.slice(first.answer_start, end) !== first.text)
      throw new Error(`The answer to "${question}" is not at its position`);
    return [{ text: question, answer: { start: first.answer_start, end } }];
  });
  return { text, questions };
}

const BETWEEN = '\n\n';

/** Joins all documents to one, in order, separated like paragraphs. */
export function together(documents: readonly AskedDocument[]): AskedDocument {
  let from = 0;
  const questions = documents.flatMap((document) => {
    const shift = from;
    from += document.text.length + BETWEEN.length;
    return document.questions.map(({ text, answer: { start, end } }) => ({
      text,
      answer: { start: start + shift, end: end + shift },
    }));
  });
  return { text: documents.map(({ text }) => text).join(BETWEEN), questions };
}
