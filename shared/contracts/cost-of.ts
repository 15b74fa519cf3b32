import { type TokenUsage } from './job-event.ts';
import { type Price, type Quote } from './quote.ts';

/** A model call for which the provider reported no cost. */
interface UnpricedCall {
  /** The model that was called. */
  model: string;
  usage: Pick<TokenUsage, 'prompt_tokens' | 'completion_tokens'>;
  /** Cost of the job's earlier calls in US dollars. */
  billed: number;
}

/**
 * Cost of a call in US dollars, from the model's price. Without a price the call costs the rest of the job's reservation, so
 * that a budget in dollars is always charged for work. Undefined if there is neither a price nor a reservation.
 */
export function costOf(quote: Quote | undefined, { model, usage, billed }: UnpricedCall): number | undefined {
  const price = quote && priceIn(quote, model);
  if (price) return usage.prompt_tokens * price.input + usage.completion_tokens * price.output;
  return quote?.reserved === undefined ? undefined : Math.max(0, quote.reserved - billed);
}

function priceIn({ prices }: Quote, model: string): Price | undefined {
  return Object.hasOwn(prices, model) ? prices[model] : undefined;
}
