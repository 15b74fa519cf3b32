import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type DeliveryJob } from '../../../shared/jobs/webhooks/deliveries-queue.ts';
import { type Endpoint } from '../../../shared/jobs/webhooks/endpoint-store.ts';
import { guardedLookup, type Resolve } from '../../../shared/platform/net/guarded-lookup.ts';
import { signingSecrets } from '../../../shared/jobs/webhooks/registry.ts';
import { type SecretBox } from '../../../shared/jobs/webhooks/secrets.ts';
import { parseTarget, type TargetRules } from '../../../shared/platform/net/target-guard.ts';
import { discard, guardedPost } from '../http/guarded-post.ts';
import { retryAfterMs } from './retry-plan.ts';
import { signedHeaders } from './sign.ts';

export interface SendDeps {
  box: SecretBox;
  rules: TargetRules;
  resolve: Resolve;
  timeoutMs: number;
  /** Fires, with the reason `shutting_down`, when this process must stop. */
  stop: AbortSignal;
}

/** The result of one try. The endpoint exists and is enabled. */
export type Sent =
  | { kind: 'delivered'; status: number }
  | {
      kind: 'failed';
      error: TurnoutError;
      status?: number | undefined;
      /** The pause that the endpoint requested. */
      retryAfterMs?: number | undefined;
    };

const GONE = 410;
/** At most this much of a response's body is read. */
const BODY_BYTES = 16 * 1_024;

/** Makes one try: checks the target again, signs the event again, and sends one POST. Never throws. */
export async function send(deps: SendDeps, endpoint: Endpoint, { event }: DeliveryJob): Promise<Sent> {
  try {
    const url = parseTarget(endpoint.url, deps.rules);
    const body = JSON.stringify(event);
    const at = new Date();
    const headers = signedHeaders(event.id, body, signingSecrets(endpoint, deps.box, at.getTime()), at);
    const lookup = guardedLookup(deps.rules, deps.resolve);
    const { timeoutMs, stop: signal } = deps;
    const { status, retryAfter } = await guardedPost({
      url,
      headers: { ...headers, 'user-agent': 'Turnout-Webhooks/1' },
      body,
      lookup,
      timeoutMs,
      signal,
      // The status counts, even if the body cannot be read.
      read: async (response) => {
        await discard(response, BODY_BYTES);
        return { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] };
      },
    });
    if (status >= 200 && status < 300) return { kind: 'delivered', status };
    const error = new TurnoutError(status === GONE ? 'webhook_gone' : 'webhook_rejected');
    return { kind: 'failed', error, status, retryAfterMs: retryAfterMs(retryAfter, Date.now()) };
  } catch (error) {
    return { kind: 'failed', error: TurnoutError.from(error) };
  }
}
