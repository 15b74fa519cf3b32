const CODES: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT']);
/** ioredis's class for the first has the type `any`, and the second is not exported. */
const NAMES: ReadonlySet<string> = new Set(['ReplyError', 'MaxRetriesPerRequestError']);

/** Redis refused a command (out of memory, read-only, cannot write its log) or could not be spoken to. */
export function isStoreError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return NAMES.has(error.name) || ('code' in error && CODES.has(error.code));
}
