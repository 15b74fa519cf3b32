import { z } from 'zod';
import { type Logger } from '../../../shared/log/logger.ts';

/** US dollars for one token. */
export interface Price {
  input: number;
  output: number;
}

export interface Prices {
  /** Undefined where LiteLLM knows none. */
  of(model: string): Promise<Price | undefined>;
}

interface PricesOptions {
  litellmUrl: string;
  masterKey: string;
  log: Logger;
}

const REFRESH_MS = 60_000;
const TIMEOUT_MS = 3_000;

const modelInfo = z.object({
  data: z.array(
    z.object({
      model_name: z.string(),
      model_info: z.object({
        input_cost_per_token: z.number().nullish(),
        output_cost_per_token: z.number().nullish(),
      }),
    }),
  ),
});

/** Prices by LiteLLM's `/model/info`, asked at most once a minute; while it is away, the last ones hold. */
export function createPrices({ litellmUrl, masterKey, log }: PricesOptions): Prices {
  let known: ReadonlyMap<string, Price> | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  async function refresh(): Promise<void> {
    askedAt = Date.now();
    try {
      known = await fetchPrices(litellmUrl, masterKey);
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

async function fetchPrices(url: string, key: string): Promise<ReadonlyMap<string, Price>> {
  const headers = { authorization: `Bearer ${key}` };
  const response = await fetch(`${url}/model/info`, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`/model/info answered ${response.status}`);
  const { data } = modelInfo.parse(await response.json());
  return new Map(
    data.flatMap(({ model_name: name, model_info: info }): [string, Price][] => {
      const { input_cost_per_token: input, output_cost_per_token: output } = info;
      return typeof input === 'number' && typeof output === 'number' ? [[name, { input, output }]] : [];
    }),
  );
}
