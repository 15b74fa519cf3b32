interface ErrorDescription {
  type: string;
  message: string;
  stack?: string;
  code?: string | number;
  cause?: ErrorDescription;
  errors?: ErrorDescription[];
}

/**
 * Reduces an error to the fields that may be logged. Other properties that libraries attach to errors, such as the arguments of a
 * Redis command or the body of a response, may contain a user's text or a key.
 */
export function describeError(error: unknown, depth = 3): ErrorDescription {
  if (!isError(error)) return { type: typeof error, message: 'A value that is not an Error was thrown' };
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

/** Checks the shape, because `instanceof` fails for errors of another realm (a `vm` context). */
function isError(error: unknown): error is Error {
  return (
    typeof error === 'object' && error !== null && 'name' in error && 'message' in error && 'stack' in error
  );
}
