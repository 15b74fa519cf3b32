import { type Price, type Quote } from '../../../shared/contracts/quote.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import {
  fetchModelInfo,
  type LitellmAddress,
  type ModelInfo,
} from '../../../shared/content/models/model-info.ts';

/** A model's data from LiteLLM. */
export interface PricedModel {
  /** Undefined if LiteLLM knows no price. */
  price: Price | undefined;
  /** The model's maximum output, in tokens. */
  maxOutput: number | undefined;
  /** The maximum tokens of the model's input. */
  contextWindow: number | undefined;
}

export interface Prices {
  /** Undefined if LiteLLM has not responded since this process started. A model unknown to LiteLLM has no price. */
  of(model: string): Promise<PricedModel | undefined>;
  /** The prices of those models that have one. Waits at most 3 s, and only for the first response after the start. */
  known(models: readonly string[]): Promise<Quote['prices']>;
}

interface PricesOptions extends LitellmAddress {
  log: Logger;
}

const UNKNOWN: PricedModel = { price: undefined, maxOutput: undefined, contextWindow: undefined };
const REFRESH_MS = 60_000;
/** Until the first response. Milliseconds. */
const RETRY_MS = 2_000;
const TIMEOUT_MS = 3_000;

/** Prices from LiteLLM's `/model/info`, read at most once a minute. While LiteLLM is unavailable, the last known prices stay in use. */
export function createPrices({ log, ...address }: PricesOptions): Prices {
  let known: ReadonlyMap<string, PricedModel> | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  async function refresh(): Promise<void> {
    askedAt = Date.now();
    try {
      const models = await fetchModelInfo(address, AbortSignal.timeout(TIMEOUT_MS));
      known = new Map(models.map((model) => [model.model_name, toPriced(model)]));
    } catch (error) {
      log.warn({ err: error }, 'Could not read prices from LiteLLM; using the last known prices');
    } finally {
      asking = undefined;
    }
  }

  function refreshIfOld(): void {
    if (Date.now() - askedAt > (known ? REFRESH_MS : RETRY_MS)) asking ??= refresh();
  }

  const first = (asking = refresh());

  return {
    of: async (model) => {
      refreshIfOld();
      if (!known) await asking;
      return known && (known.get(model) ?? UNKNOWN);
    },
    known: async (models) => {
      refreshIfOld();
      await first;
      return Object.fromEntries(
        models.flatMap((model): [string, Price][] => {
          const price = known?.get(model)?.price;
          return price ? [[model, price]] : [];
        }),
      );
    },
  };
}

function toPriced({ model_info: info }: ModelInfo): PricedModel {
  const { input_cost_per_token: input, output_cost_per_token: output } = info;
  return {
    price: typeof input === 'number' && typeof output === 'number' ? { input, output } : undefined,
    maxOutput: info.max_output_tokens ?? undefined,
    contextWindow: info.max_input_tokens ?? info.max_tokens ?? undefined,
  };
}
