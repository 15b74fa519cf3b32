import { BadKeyError } from '../http/failures.ts';
import type { ErrorFormat } from '../http/router.ts';
import { retryAfter } from '../openai/errors.ts';

/** Azure's gateway answers for the key, the path and the rate with a code and a message; the model itself in OpenAI's envelope. */
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

/** Only its own words for a key and for a path are always the same. */
function wordsOf(error: Parameters<ErrorFormat>[0]): object {
  return error instanceof BadKeyError || error.status === 404 ? {} : { message: error.message };
}
