const CODES: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT']);
/** Compared by name: ioredis types the first class as `any` and does not export the second. */
const NAMES: ReadonlySet<string> = new Set(['ReplyError', 'MaxRetriesPerRequestError']);

/** True if Redis refused a command (out of memory, read-only, cannot write its log) or is unreachable. */
export function isStoreError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return NAMES.has(error.name) || ('code' in error && CODES.has(error.code));
}

/** Replies of a Redis that temporarily refuses commands: it is starting, is a replica, fails over, or cannot write its log. */
const PASSING_REPLIES = /^(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|MISCONF|NOREPLICAS|UNBLOCKED)\b/;
/** Compared by message: ioredis has neither classes nor codes for these errors. */
const PASSING_MESSAGES: ReadonlySet<string> = new Set([
  'Command timed out',
  'Connection is closed.',
  'Failed to refresh slots cache.',
  'Cluster is ended.',
]);

/** True if the same command may succeed later: Redis is unreachable or refuses temporarily. False for an invalid command. */
export function isStoreAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'ReplyError') return PASSING_REPLIES.test(error.message);
  return isStoreError(error) || error.name === 'ClusterAllFailedError' || PASSING_MESSAGES.has(error.message);
}
