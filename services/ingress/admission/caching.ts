import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { type Caching } from '../../../shared/contracts/job-message.ts';
import { type CacheControl } from '../http/cache-control.ts';

/**
 * Which answers may be reused, depending on the request's sampling parameters:
 *
 * - `fixed`: only if the request asks for a deterministic answer, by temperature 0 or a seed.
 * - `unasked`: also if it sets no sampling parameters.
 * - `any`: also if it asks for variety.
 */
export type SamplingPolicy = 'fixed' | 'unasked' | 'any';

interface CachingRules {
  store: boolean | null | undefined;
  policy: SamplingPolicy;
  fingerprint: (request: ChatRequest) => Promise<string>;
}

/** How the cache may be used for a request. `request` does not include its documents. */
export async function cachingOf(
  request: ChatRequest,
  { noCache, noStore, maxAgeMs }: CacheControl,
  { store, policy, fingerprint }: CachingRules,
): Promise<Caching> {
  const asked = { lookUp: !noCache && maxAgeMs !== 0, keep: !noStore && store !== false };
  return {
    ...asked,
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
    ...((asked.lookUp || asked.keep) && allows(policy, request)
      ? { request: await fingerprint(request) }
      : {}),
  };
}

function allows(policy: SamplingPolicy, request: ChatRequest): boolean {
  if (policy === 'any') return true;
  const sampling = samplingOf(request);
  return sampling === 'fixed' || (policy === 'unasked' && sampling === 'unasked');
}

/** A request for several choices wants them to differ. */
function samplingOf({ n, temperature, top_p: topP, seed }: ChatRequest): 'fixed' | 'unasked' | 'varied' {
  if ((n ?? 1) > 1) return 'varied';
  if (temperature === 0 || topP === 0 || isGiven(seed)) return 'fixed';
  return isGiven(temperature) || (isGiven(topP) && topP !== 1) ? 'varied' : 'unasked';
}

function isGiven(value: number | null | undefined): boolean {
  return value !== undefined && value !== null;
}
