import { BadKeyError } from '../http/failures.ts';
import type { ErrorFormat } from '../http/router.ts';

/** An error of the Bedrock runtime. A header carries its type. It has no Retry-After unless the knobs set one. */
export const bedrockErrors: ErrorFormat = (error, retryAfterS) => {
  const { status, type, message } = error instanceof BadKeyError ? keyProblem(error) : typed(error);
  return {
    status,
    body: { message },
    headers: {
      'x-amzn-errortype': type,
      'x-amzn-requestid': 'simulated',
      ...(retryAfterS === null ? {} : { 'retry-after': String(retryAfterS) }),
    },
  };
};

interface AwsError {
  status: number;
  type: string;
  message: string;
}

function keyProblem({ missing }: BadKeyError): AwsError {
  return missing
    ? { status: 403, type: 'MissingAuthenticationTokenException', message: 'Missing Authentication Token' }
    : {
        status: 403,
        type: 'UnrecognizedClientException',
        message: 'The security token included in the request is invalid.',
      };
}

const TYPES: Readonly<Record<number, string>> = {
  400: 'ValidationException',
  403: 'AccessDeniedException',
  404: 'ResourceNotFoundException',
  408: 'ModelTimeoutException',
  424: 'ModelErrorException',
  429: 'ThrottlingException',
  500: 'InternalServerException',
  503: 'ServiceUnavailableException',
};

function typed({ status, message }: { status: number; message: string }): AwsError {
  const fallback = status < 500 ? 'ValidationException' : 'InternalServerException';
  return { status, type: TYPES[status] ?? fallback, message };
}
