import type { Target } from '../load/protocol.ts';
import { OVERLOAD_PLAN } from './plan.ts';

/** The result of one request. `failed`: accepted but not answered, or refused without a valid Retry-After. */
export interface Answer {
  kind: 'answered' | 'refused' | 'failed';
  /** Milliseconds. */
  ms: number;
  retryAfterS: number | undefined;
  why: string;
}

const { ttft, tokens, tps } = OVERLOAD_PLAN.knobs;
const CONTENT = `[[sim: ttft=${ttft}; tokens=${tokens}; tps=${tps}]] My seat is 5. What is my seat?`;

/** `retry`: how often the request was sent before. It is sent in the same header that SDKs use. */
export async function callOnce({ baseUrl, apiKeys }: Target, number: number, retry = 0): Promise<Answer> {
  const began = performance.now();
  const since = () => performance.now() - began;
  try {
    const response = await fetch(`${baseUrl}/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${apiKeys[number % OVERLOAD_PLAN.users] ?? ''}`,
        'content-type': 'application/json',
        'x-stainless-retry-count': String(retry),
      },
      body: JSON.stringify({
        model: 'turnout-sim',
        messages: [{ role: 'user', content: `${CONTENT} ${number}` }],
      }),
    });
    const body = (await response.json()) as { choices?: unknown; error?: { code?: string } };
    if (response.ok && body.choices)
      return { kind: 'answered', ms: since(), retryAfterS: undefined, why: '' };
    const retryAfterS = Number(response.headers.get('retry-after') ?? Number.NaN);
    const why = `${response.status} ${body.error?.code ?? ''}`;
    const isRefusal = ['overloaded', 'queue_limit_exceeded'].includes(body.error?.code ?? '');
    if (!isRefusal || !(retryAfterS > 0)) return { kind: 'failed', ms: since(), retryAfterS: undefined, why };
    return { kind: 'refused', ms: since(), retryAfterS, why };
  } catch (error) {
    return { kind: 'failed', ms: since(), retryAfterS: undefined, why: String(error) };
  }
}
