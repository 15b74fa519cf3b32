import { type Price } from '../../../shared/contracts/quote.ts';
import { type MeasureInTurns } from '../../../shared/content/models/measure-request.ts';
import { type Estimate } from '../../../shared/policy/usage/budgets.ts';
import { type TakenDocument, type TakenDocuments } from '../documents/take-documents.ts';

/** Where a request does not say how long its answer may be. Tokens. */
const USUAL_ANSWER = 1_000;
/** Of a limit by the minute, an answer counts as no more than this: more is a limit and no estimate. Tokens. */
const MINUTE_ANSWER = { usual: 500, most: 2_000 };
/** Other tokenizers than ours, and what a model's own template adds to each message. */
const MARGIN = { factor: 1.25, eachMessage: 8 };

export interface EntrantMeasure extends MeasureInTurns {
  /** Tokens of the documents whose text came with the request. */
  documentTexts(): Promise<number>;
}

export interface EstimateRules {
  /** Tokens that all documents of a job may fill. */
  documentTokens: number;
  /** Tokens of instructions and of retrieval services' passages, at most. */
  besideTokens: number;
  price: Price | undefined;
  /** The longest answer that the model gives, in tokens. */
  maxOutput: number | undefined;
}

interface Estimated {
  /** What a job may come to. */
  most: Estimate;
  /** What it will come to as a rule, where its answer has no limit of its own: see `ReservedJob.least`. */
  usual: Estimate | undefined;
}

/**
 * What a request may come to: what budgets reserve. Its prompt is counted, its answer is as long as the request allows, or as
 * its model can make it.
 */
export async function estimateOf(
  { request, documents }: TakenDocuments,
  measure: EntrantMeasure,
  rules: EstimateRules,
): Promise<Estimated> {
  const { messages, max_completion_tokens: limit, max_tokens: before, n } = request;
  const beside = (await contextTokens(documents, measure, rules.documentTokens)) + rules.besideTokens;
  const prompt =
    Math.ceil((await measure.exact()) * MARGIN.factor) + messages.length * MARGIN.eachMessage + beside;
  const predicted = await measure.predicted();
  const toEstimate = (answer: number) =>
    priced(rules.price, { prompt, predicted, answer: answer * (n ?? 1) });
  const stated = limit ?? before;
  if (stated !== undefined && stated !== null) return { most: toEstimate(stated), usual: undefined };
  const usual = toEstimate(USUAL_ANSWER);
  const { maxOutput } = rules;
  return maxOutput !== undefined && maxOutput > USUAL_ANSWER
    ? { most: toEstimate(maxOutput), usual }
    : { most: usual, usual: undefined };
}

/** What an answer does not use of a predicted output is charged like an answer. */
function priced(
  price: Price | undefined,
  { prompt, predicted, answer }: { prompt: number; predicted: number; answer: number },
): Estimate {
  const cost = price
    ? prompt * price.input + predicted * Math.max(0, price.output - price.input) + answer * price.output
    : 0;
  return { tokens: prompt + answer, cost };
}

/** What a request counts as in its user's minute. */
export async function minuteTokens(
  { request, documents }: TakenDocuments,
  measure: EntrantMeasure,
  { documentTokens, besideTokens }: Pick<EstimateRules, 'documentTokens' | 'besideTokens'>,
): Promise<number> {
  const { max_completion_tokens: limit, max_tokens: before, n } = request;
  const answer = Math.min(limit ?? before ?? MINUTE_ANSWER.usual, MINUTE_ANSWER.most) * (n ?? 1);
  const context = await contextTokens(documents, measure, documentTokens);
  return Math.max(1, (await measure.exact()) + context + besideTokens) + answer;
}

/** A document's tags and instruction; each gets at least as many tokens as a passage has. */
const AROUND_DOCUMENT = 100;
const AROUND_CONTEXT = 130;
const LEAST_OF_DOCUMENT = 400;

/** Passages are chosen later: as many as fit, of what there is. Of an uploaded or packed document only the size is known. */
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

/** Bytes of a stored text; what is packed (PDF, DOCX) may be any length. */
function mostTokensOf(content: TakenDocument['content']): number {
  if (content.kind === 'inline') return 0;
  if (content.kind === 'blob') return content.bytes;
  if (content.format === 'pdf' || content.format === 'docx') return Infinity;
  return content.kind === 'raw' ? content.blob.bytes : content.bytes.length;
}
