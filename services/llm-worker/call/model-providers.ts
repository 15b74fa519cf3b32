import { z } from 'zod';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { retrying } from '../../../shared/platform/util/retrying.ts';
import { type Deployment, KEYED_PROVIDERS, providerOf } from './provider-names.ts';

/** The provider of each model. */
export interface ModelProviders {
  /** A key of `KEYED_PROVIDERS`, another name, several names joined by `,`, or undefined while unknown. */
  of(model: string): string | undefined;
  close(): void;
}

export type DeployedModel = Deployment & { name: string };

interface ModelProvidersOptions {
  /** The models that LiteLLM serves; rejects while LiteLLM is unavailable. */
  fetchModels: (signal: AbortSignal) => Promise<DeployedModel[]>;
  log: Logger;
  /** The longest wait between two attempts; milliseconds. */
  maxWaitMs?: number;
}

/**
 * Asks LiteLLM for its models in the background, from start-up until it answers: asking -> known. Then logs each of the four providers
 * that has no model there. Only the proxy holds the provider keys, and it has models only for providers whose keys it has.
 */
export function watchModelProviders(options: ModelProvidersOptions): ModelProviders {
  const { fetchModels, log, maxWaitMs = 30_000 } = options;
  const closing = new AbortController();
  const pace = {
    attempts: Number.POSITIVE_INFINITY,
    baseMs: 1_000,
    maxMs: maxWaitMs,
    signal: closing.signal,
  };
  let known: ReadonlyMap<string, string> = new Map();
  let askedAt = 0;

  async function ask(): Promise<readonly DeployedModel[]> {
    askedAt = Date.now();
    const models = await retrying(() => fetchModels(closing.signal), pace);
    known = providersByModel(models);
    return models;
  }

  /** Ignores the rejection, which only closing causes. */
  const inBackground = (asking: Promise<unknown>): void => void asking.catch(() => undefined);

  inBackground(ask().then((models) => logMissing(log, models)));
  return {
    of: (model) => {
      const provider = known.get(model);
      const isNew = provider === undefined && known.size > 0 && Date.now() - askedAt > REFRESH_MS;
      if (isNew) inBackground(ask());
      return provider;
    },
    close: () => closing.abort(),
  };
}

/** The shortest time between two requests to LiteLLM for a model that is not known yet. */
const REFRESH_MS = 60_000;

function providersByModel(models: readonly DeployedModel[]): Map<string, string> {
  const found = new Map<string, Set<string>>();
  for (const model of models) {
    const providers = found.get(model.name) ?? new Set();
    found.set(model.name, providers.add(providerOf(model)));
  }
  return new Map([...found].map(([name, providers]) => [name, [...providers].join(',')]));
}

function logMissing(log: Logger, models: readonly DeployedModel[]): void {
  const present = new Set(models.map(providerOf));
  for (const provider of Object.keys(KEYED_PROVIDERS))
    if (!present.has(provider)) logNoKey(log, provider, {});
}

/** Logs `No OpenAI key available` (or another name) with `fields`; logs nothing for a provider that the guide does not name. */
export function logNoKey(log: Logger, provider: string | undefined, fields: object): void {
  const name = Object.entries(KEYED_PROVIDERS).find(([key]) => key === provider)?.[1];
  if (name !== undefined) log.warn({ ...fields, provider }, `No ${name} key available`);
}

const modelInfo = z.object({
  data: z.array(
    z.object({
      model_name: z.string(),
      litellm_params: z.object({
        model: z.string(),
        custom_llm_provider: z.string().nullish(),
        api_base: z.string().nullish(),
      }),
      model_info: z.object({ litellm_provider: z.string().nullish() }),
    }),
  ),
});

const TIMEOUT_MS = 5_000;

/** The models in LiteLLM's `/model/info`. */
export async function fetchDeployedModels(
  { url, key }: { url: string; key: string },
  signal: AbortSignal,
): Promise<DeployedModel[]> {
  const response = await fetch(`${url}/model/info`, {
    headers: { authorization: `Bearer ${key}` },
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  if (!response.ok) throw new Error(`/model/info answered ${response.status}`);
  const { data } = modelInfo.parse(await response.json());
  return data.map(({ model_name: name, litellm_params: params, model_info: info }) => ({
    name,
    model: params.model,
    named: params.custom_llm_provider,
    listed: info.litellm_provider,
    apiBase: params.api_base,
  }));
}
