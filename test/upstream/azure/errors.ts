import { BadKeyError } from '../http/failures.ts';
import type { ErrorFormat } from '../http/router.ts';
import { retryAfter } from '../openai/errors.ts';

/** Azure's gateway reports errors of the key, the path and the rate limit with a code and a message. Errors of the model have OpenAI's envelope. */
export const azureErrors: ErrorFormat = (error, retryAfterS) => {
  const { status, type, param, code, message } = error;
  const gateway = GATEWAY[status];
  return {
    status,
    body: {
      error: gateway === undefined ? { message, type, param, code } : { ...gateway, ...wordsOf(error) },
    },
    headers: retryAfter(retryAfterS ?? (status === 429 ? 1 : null)),
  };
};

const GATEWAY: Readonly<Record<number, object>> = {
  401: {
    code: '401',
    message:
      'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.',
  },
  404: { code: '404', message: 'Resource not found' },
  429: { code: '429' },
};

/** Only the gateway's messages for a bad key and an unknown path are constant. */
function wordsOf(error: Parameters<ErrorFormat>[0]): object {
  return error instanceof BadKeyError || error.status === 404 ? {} : { message: error.message };
}
