const CODES: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT']);
/** ioredis's class for the first has the type `any`, and the second is not exported. */
const NAMES: ReadonlySet<string> = new Set(['ReplyError', 'MaxRetriesPerRequestError']);

/** Redis refused a command (out of memory, read-only, cannot write its log) or could not be spoken to. */
export function isStoreError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return NAMES.has(error.name) || ('code' in error && CODES.has(error.code));
}

/** Redis does not take commands now and will: it starts, follows another server, fails over, or cannot write its log. */
const PASSING_REPLIES = /^(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|MISCONF|NOREPLICAS|UNBLOCKED)\b/;
/** ioredis has neither classes nor codes for these. */
const PASSING_MESSAGES: ReadonlySet<string> = new Set([
  'Command timed out',
  'Connection is closed.',
  'Failed to refresh slots cache.',
  'Cluster is ended.',
]);

/** The same command may succeed later: Redis is away, or refuses for a reason that passes. A command that is wrong stays wrong. */
export function isStoreAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'ReplyError') return PASSING_REPLIES.test(error.message);
  return isStoreError(error) || error.name === 'ClusterAllFailedError' || PASSING_MESSAGES.has(error.message);
}
