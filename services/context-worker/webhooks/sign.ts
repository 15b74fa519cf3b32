import { Webhook } from 'standardwebhooks';

/**
 * The Standard Webhooks headers of one try. Each try is signed separately with its own time, because receivers reject signatures older than
 * five minutes. Every valid secret signs; the receiver checks the signature of the secret that it knows.
 */
export function signedHeaders(eventId: string, body: string, secrets: readonly string[], at: Date) {
  const signatures = secrets.map((secret) => new Webhook(secret).sign(eventId, at, body));
  return {
    'webhook-id': eventId,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': signatures.join(' '),
  };
}
