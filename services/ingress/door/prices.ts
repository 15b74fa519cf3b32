import { type Logger } from '../../../shared/log/logger.ts';
import { fetchModelInfo, type LitellmAddress } from '../../../shared/models/model-info.ts';

/** US dollars for one token. */
export interface Price {
  input: number;
  output: number;
}

export interface Prices {
  /** Undefined where LiteLLM knows none. */
  of(model: string): Promise<Price | undefined>;
}

interface PricesOptions extends LitellmAddress {
  log: Logger;
}

const REFRESH_MS = 60_000;
const TIMEOUT_MS = 3_000;

/** Prices by LiteLLM's `/model/info`, asked at most once a minute; while it is away, the last ones hold. */
export function createPrices({ log, ...address }: PricesOptions): Prices {
  let known: ReadonlyMap<string, Price> | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  async function refresh(): Promise<void> {
    askedAt = Date.now();
    try {
      known = await fetchPrices(address);
    } catch (error) {
      log.warn({ err: error }, 'Prices could not be read from LiteLLM; those from before hold');
    } finally {
      asking = undefined;
    }
  }

  return {
    of: async (model) => {
      if (Date.now() - askedAt > REFRESH_MS) asking ??= refresh();
      if (!known) await asking;
      return known?.get(model);
    },
  };
}

async function fetchPrices(address: LitellmAddress): Promise<ReadonlyMap<string, Price>> {
  const models = await fetchModelInfo(address, AbortSignal.timeout(TIMEOUT_MS));
  return new Map(
    models.flatMap(({ model_name: name, model_info: info }): [string, Price][] => {
      const { input_cost_per_token: input, output_cost_per_token: output } = info;
      return typeof input === 'number' && typeof output === 'number' ? [[name, { input, output }]] : [];
    }),
  );
}
