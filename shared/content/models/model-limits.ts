import { z } from 'zod';
import { type Cache } from '../cache/cache.ts';
import { jsonCodec } from '../cache/codec.ts';
import { fingerprintOf } from '../cache/fingerprint.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { fetchModelInfo, type LitellmAddress, type ModelInfo } from './model-info.ts';

const limits = z.object({
  /** Tokens. */
  contextWindow: z.number(),
  maxOutput: z.number().optional(),
  /** The model continues an assistant message that ends the conversation. */
  prefill: z.boolean(),
});
export type Limits = z.infer<typeof limits>;
const codec = jsonCodec(z.array(z.tuple([z.string(), limits])));

export interface ModelLimits {
  of(model: string): Promise<Limits>;
}

/** Limits of models that LiteLLM has no data for. */
const UNKNOWN: Limits = { contextWindow: 128_000, prefill: false };
const REFRESH_MS = 60_000;
const TIMEOUT_MS = 3_000;

interface ModelLimitsOptions extends LitellmAddress {
  /** Shares the result between processes. */
  cache: Pick<Cache, 'getOrCompute'>;
  log: Logger;
}

/**
 * The models' context windows, from LiteLLM's `/model/info`. Requested at most once a minute; only the first request delays a job, later
 * ones refresh in the background. When LiteLLM is unavailable, the last known limits apply, otherwise a default (`UNKNOWN`).
 */
export function createModelLimits(options: ModelLimitsOptions): ModelLimits {
  const { litellmUrl, cache, log } = options;
  const key = { kind: 'model', fingerprint: fingerprintOf({ limits: 1, litellmUrl }) } as const;
  let known = new Map<string, Limits>();
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  async function refresh(): Promise<void> {
    try {
      const limits = await cache.getOrCompute(key, codec, {
        compute: (signal) => fetchLimits(options, signal),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      known = new Map(limits);
    } catch (error) {
      log.warn({ err: error }, 'Cannot read model limits from LiteLLM; using the last known ones');
    } finally {
      asking = undefined;
    }
  }

  return {
    of: async (model) => {
      if (Date.now() - askedAt > REFRESH_MS) {
        askedAt = Date.now();
        asking = refresh();
      }
      if (known.size === 0) await asking;
      return known.get(model) ?? UNKNOWN;
    },
  };
}

async function fetchLimits(address: LitellmAddress, signal: AbortSignal): Promise<[string, Limits][]> {
  const models = await fetchModelInfo(address, signal);
  return models.map(({ model_name, model_info: info }) => [model_name, toLimits(info)]);
}

function toLimits(info: ModelInfo['model_info']): Limits {
  const contextWindow = info.max_input_tokens ?? info.max_tokens ?? UNKNOWN.contextWindow;
  return {
    contextWindow,
    prefill: info.supports_assistant_prefill ?? false,
    ...(info.max_output_tokens ? { maxOutput: info.max_output_tokens } : {}),
  };
}
