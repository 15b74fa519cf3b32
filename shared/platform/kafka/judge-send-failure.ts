const TOO_LARGE: ReadonlySet<unknown> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);
/** Kafka protocol errors that a retry does not fix. */
const REJECTED: ReadonlySet<unknown> = new Set([
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
  'TOPIC_AUTHORIZATION_FAILED',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
]);
/** kafkajs could not even encode the message. */
const BROKEN: ReadonlySet<string> = new Set(['TypeError', 'RangeError']);

/** Decides whether a failed kafkajs request is the fault of its messages, or of Kafka or the network (`away`). */
export function judgeSendFailure(error: unknown): 'too_large' | 'rejected' | 'away' {
  const causes = chainOf(error);
  const types = causes.map((cause) => ('type' in cause ? cause.type : undefined));
  if (types.some((type) => TOO_LARGE.has(type))) return 'too_large';
  const isBroken = causes.some(({ name }) => BROKEN.has(name));
  return isBroken || types.some((type) => REJECTED.has(type)) ? 'rejected' : 'away';
}

/** kafkajs wraps the broker's error once or twice. */
function chainOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let at = error; at instanceof Error && !chain.includes(at); at = at.cause) chain.push(at);
  return chain;
}
