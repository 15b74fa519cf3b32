import {
  expectedAnswerTokens,
  statedAnswerTokens,
  USUAL_ANSWER_TOKENS,
} from '../../../shared/contracts/answer-length.ts';
import { type Price } from '../../../shared/contracts/quote.ts';
import { type MeasureInTurns } from '../../../shared/content/models/measure-request.ts';
import { type Estimate } from '../../../shared/policy/usage/budgets.ts';
import { type TakenDocument, type TakenDocuments } from '../documents/take-documents.ts';

/** Covers models with other tokenizers, and the tokens that a model's chat template adds to each message. */
const MARGIN = { factor: 1.25, eachMessage: 8 };

export interface EntrantMeasure extends MeasureInTurns {
  /** Tokens of the documents whose text came with the request. */
  documentTexts(): Promise<number>;
}

export interface EstimateRules {
  /** The maximum tokens of all documents of a job together. */
  documentTokens: number;
  /** The maximum tokens of assistant instructions and of passages from retrieval services. */
  besideTokens: number;
  price: Price | undefined;
  /** The model's maximum output, in tokens. */
  maxOutput: number | undefined;
}

interface Estimated {
  /** The maximum that a job can use. */
  most: Estimate;
  /** The expected use of a job whose request sets no answer limit: see `ReservedJob.least`. */
  usual: Estimate | undefined;
}

/**
 * The tokens and cost that budgets reserve for a request. The prompt is counted. The answer is assumed to reach the request's
 * limit or the model's maximum output.
 */
export async function estimateOf(
  { request, documents }: TakenDocuments,
  measure: EntrantMeasure,
  rules: EstimateRules,
): Promise<Estimated> {
  const { messages, n } = request;
  const beside = (await contextTokens(documents, measure, rules.documentTokens)) + rules.besideTokens;
  const prompt =
    Math.ceil((await measure.exact()) * MARGIN.factor) + messages.length * MARGIN.eachMessage + beside;
  const predicted = await measure.predicted();
  const toEstimate = (answer: number) =>
    priced(rules.price, { prompt, predicted, answer: answer * (n ?? 1) });
  const stated = statedAnswerTokens(request);
  if (stated !== undefined) return { most: toEstimate(stated), usual: undefined };
  const usual = toEstimate(USUAL_ANSWER_TOKENS);
  const { maxOutput } = rules;
  return maxOutput !== undefined && maxOutput > USUAL_ANSWER_TOKENS
    ? { most: toEstimate(maxOutput), usual }
    : { most: usual, usual: undefined };
}

/** The unused part of a predicted output is charged at the output price. */
function priced(
  price: Price | undefined,
  { prompt, predicted, answer }: { prompt: number; predicted: number; answer: number },
): Estimate {
  const cost = price
    ? prompt * price.input + predicted * Math.max(0, price.output - price.input) + answer * price.output
    : 0;
  return { tokens: prompt + answer, cost };
}

/** The tokens that a request counts towards its user's limit per minute. */
export async function minuteTokens(
  { request, documents }: TakenDocuments,
  measure: EntrantMeasure,
  { documentTokens, besideTokens }: Pick<EstimateRules, 'documentTokens' | 'besideTokens'>,
): Promise<number> {
  const context = await contextTokens(documents, measure, documentTokens);
  return Math.max(1, (await measure.exact()) + context + besideTokens) + expectedAnswerTokens(request);
}

/** Tokens of the tags around one document, of the instruction around all, and the minimum that each document may fill. */
const AROUND_DOCUMENT = 100;
const AROUND_CONTEXT = 130;
const LEAST_OF_DOCUMENT = 400;

/**
 * The maximum tokens of document passages. They are chosen later: as many as fit into the documents' share. For an uploaded or
 * binary document only the size is known.
 */
async function contextTokens(
  documents: readonly TakenDocument[],
  measure: EntrantMeasure,
  documentTokens: number,
): Promise<number> {
  if (documents.length === 0) return 0;
  const room = Math.max(documentTokens, documents.length * LEAST_OF_DOCUMENT);
  const others = documents.reduce((sum, { content }) => sum + mostTokensOf(content), 0);
  const around = AROUND_CONTEXT + documents.length * AROUND_DOCUMENT;
  return Math.min(room, others >= room ? room : others + (await measure.documentTexts())) + around;
}

/** A text has at most as many tokens as bytes. Compressed formats (PDF, DOCX) may contain any amount of text. */
function mostTokensOf(content: TakenDocument['content']): number {
  if (content.kind === 'inline') return 0;
  if (content.kind === 'blob') return content.bytes;
  if (content.format === 'pdf' || content.format === 'docx') return Infinity;
  return content.kind === 'raw' ? content.blob.bytes : content.bytes.length;
}
