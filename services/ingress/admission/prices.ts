import { type Price, type Quote } from '../../../shared/contracts/quote.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import {
  fetchModelInfo,
  type LitellmAddress,
  type ModelInfo,
} from '../../../shared/content/models/model-info.ts';

/** What LiteLLM says of a model. */
export interface PricedModel {
  /** Undefined where LiteLLM knows none. */
  price: Price | undefined;
  /** The longest answer that it gives, in tokens. */
  maxOutput: number | undefined;
  /** Tokens that its input may have. */
  contextWindow: number | undefined;
}

export interface Prices {
  /** Undefined where LiteLLM has not said anything since this process started; a model that it does not know has no price. */
  of(model: string): Promise<PricedModel | undefined>;
  /** Of those of the models that have a price. Waits for LiteLLM's first answer after the start only, at most 3 s. */
  known(models: readonly string[]): Promise<Quote['prices']>;
}

interface PricesOptions extends LitellmAddress {
  log: Logger;
}

const UNKNOWN: PricedModel = { price: undefined, maxOutput: undefined, contextWindow: undefined };
const REFRESH_MS = 60_000;
/** While nothing is known. */
const RETRY_MS = 2_000;
const TIMEOUT_MS = 3_000;

/** Prices by LiteLLM's `/model/info`, asked at most once a minute; while it is away, the last ones hold. */
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
      log.warn({ err: error }, 'Prices could not be read from LiteLLM; those from before hold');
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
