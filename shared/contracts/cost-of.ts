import { type TokenUsage } from './job-event.ts';
import { type Price, type Quote } from './quote.ts';

/** A call of a model whose provider has told no cost. */
interface UnpricedCall {
  /** The one that was called. */
  model: string;
  usage: Pick<TokenUsage, 'prompt_tokens' | 'completion_tokens'>;
  /** US dollars that the job's calls before it cost. */
  billed: number;
}

/**
 * US dollars by the model's own price. Without one the reservation stands: the call costs what is left of it, so a budget in
 * dollars is never charged nothing for work. Undefined where there is neither.
 */
export function costOf(quote: Quote | undefined, { model, usage, billed }: UnpricedCall): number | undefined {
  const price = quote && priceIn(quote, model);
  if (price) return usage.prompt_tokens * price.input + usage.completion_tokens * price.output;
  return quote?.reserved === undefined ? undefined : Math.max(0, quote.reserved - billed);
}

function priceIn({ prices }: Quote, model: string): Price | undefined {
  return Object.hasOwn(prices, model) ? prices[model] : undefined;
}
