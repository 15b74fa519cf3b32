import { countTokens } from '../../../shared/documents/tokens.ts';
import { type Estimate } from '../../../shared/usage/budgets.ts';
import { type TakenDocuments } from '../take-documents.ts';
import { type Price } from './prices.ts';

/** Where a request does not say how long its answer may be. Tokens. */
const USUAL_ANSWER = 1_000;
/** Other tokenizers than ours, and what a model's own template adds to each message. */
const MARGIN = { factor: 1.25, eachMessage: 8 };

interface Rules {
  /** Tokens that all documents of a job may fill. */
  documentTokens: number;
  price: Price | undefined;
}

/**
 * What a request may come to, more than it will as a rule: what budgets reserve. Its prompt is counted, its answer as long as it allows;
 * one that allows any length may come to more than is estimated here.
 */
export function estimateOf(
  { request, documents }: TakenDocuments,
  { documentTokens, price }: Rules,
): Estimate {
  const { messages, max_completion_tokens: most, max_tokens: before, n } = request;
  const texts = countTokens(JSON.stringify(messages)) * MARGIN.factor + messages.length * MARGIN.eachMessage;
  const prompt = Math.ceil(texts) + (documents.length === 0 ? 0 : documentTokens);
  const answer = (most ?? before ?? USUAL_ANSWER) * (n ?? 1);
  return { tokens: prompt + answer, cost: price ? prompt * price.input + answer * price.output : 0 };
}
