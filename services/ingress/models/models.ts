import { z } from 'zod';
import { modelNotFound } from '../../../shared/policy/access/model-access.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';

const model = z.looseObject({ id: z.string(), object: z.literal('model').catch('model') });
const modelList = z.object({ object: z.literal('list').catch('list'), data: z.array(model) });
export type ModelList = z.infer<typeof modelList>;

export interface Models {
  list(): Promise<ModelList>;
  /** Throws `model_not_found` for a model that LiteLLM does not serve. Accepts every model until LiteLLM has responded once. */
  assertServed(model: string): Promise<void>;
}

interface ModelsOptions {
  litellmUrl: string;
  masterKey: string;
  log: Logger;
}

const FRESH_MS = 30_000;
/** An unknown model name triggers a new request to LiteLLM at most this often. Milliseconds. */
const RECHECK_MS = 1_000;

/** Caches LiteLLM's list of models. While LiteLLM is unavailable, the last list stays in use. */
export function createModels({ litellmUrl, masterKey, log }: ModelsOptions): Models {
  let known: ModelList | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  async function refresh(): Promise<void> {
    askedAt = Date.now();
    try {
      known = await fetchModels(litellmUrl, masterKey);
    } catch (error) {
      log.warn({ err: error }, 'Could not read models from LiteLLM');
    } finally {
      asking = undefined;
    }
  }

  async function notOlderThan(ms: number): Promise<void> {
    if (Date.now() - askedAt > ms) asking ??= refresh();
    await asking;
  }

  return {
    list: async () => {
      await notOlderThan(FRESH_MS);
      if (!known)
        throw new TurnoutError('upstream_unreachable', {
          message: 'The list of models is currently unavailable. Try again later.',
        });
      return known;
    },
    assertServed: async (name) => {
      if (known && serves(known, name)) return;
      await notOlderThan(RECHECK_MS);
      if (known && !serves(known, name)) {
        throw modelNotFound(name);
      }
    },
  };
}

/** LiteLLM lists all models of a provider as `openai/*`. */
function serves({ data }: ModelList, name: string): boolean {
  return data.some(({ id }) => id === name || (id.endsWith('*') && name.startsWith(id.slice(0, -1))));
}

async function fetchModels(url: string, key: string): Promise<ModelList> {
  const headers = { authorization: `Bearer ${key}` };
  const response = await fetch(`${url}/v1/models`, { headers, signal: AbortSignal.timeout(3_000) });
  if (!response.ok) throw new Error(`/v1/models responded with status ${response.status}`);
  return modelList.parse(await response.json());
}
