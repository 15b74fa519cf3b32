import { Webhook } from 'standardwebhooks';

/**
 * Standard Webhooks' headers of one try. The time, and with it the signature, is that of the try: a receiver refuses what is
 * older than five minutes. Each secret that is in force signs; the receiver takes the signature that it knows.
 */
export function signedHeaders(eventId: string, body: string, secrets: readonly string[], at: Date) {
  const signatures = secrets.map((secret) => new Webhook(secret).sign(eventId, at, body));
  return {
    'webhook-id': eventId,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': signatures.join(' '),
  };
}
