interface ErrorDescription {
  type: string;
  message: string;
  stack?: string;
  code?: string | number;
  cause?: ErrorDescription;
  errors?: ErrorDescription[];
}

/**
 * What a log says of an error: nothing but these. Whatever else libraries hang on their errors (the arguments of a Redis
 * command, the body of a response) may be a user's words or a key.
 */
export function describeError(error: unknown, depth = 3): ErrorDescription {
  if (!isError(error)) return { type: typeof error, message: 'not an error was thrown' };
  const { code, errors } = error as { code?: unknown; errors?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(error.cause === undefined || depth === 0 ? {} : { cause: describeError(error.cause, depth - 1) }),
    ...(Array.isArray(errors) && depth > 0
      ? { errors: errors.map((one) => describeError(one, depth - 1)) }
      : {}),
  };
}

/** By its shape: `instanceof` does not know the errors of another realm (a `vm` context). */
function isError(error: unknown): error is Error {
  return (
    typeof error === 'object' && error !== null && 'name' in error && 'message' in error && 'stack' in error
  );
}
