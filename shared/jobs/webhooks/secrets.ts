import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';

/** Encrypts signing secrets for the job Redis with AES-256-GCM, bound to the id of their endpoint. */
export interface SecretBox {
  encrypt(secret: string, endpointId: string): string;
  /** Throws `webhook_secret_unreadable` for a secret that was encrypted with another `TURNOUT_SECRET` or for another endpoint. */
  open(encrypted: string, endpointId: string): string;
}

const SECRET_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** In the format of Standard Webhooks: `whsec_` and the base64 of 32 random bytes. */
export function newSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
}

/** A hint by which owners can recognise a secret. */
export function hintOf(secret: string): string {
  return `whsec_...${secret.slice(-5)}`;
}

export function createSecretBox(turnoutSecret: string): SecretBox {
  const key = Buffer.from(hkdfSync('sha256', turnoutSecret, '', 'turnout webhook secrets v1', 32));
  return {
    encrypt: (secret, endpointId) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(endpointId));
      const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64');
    },
    open: (encrypted, endpointId) => {
      try {
        return decrypt(key, Buffer.from(encrypted, 'base64'), endpointId);
      } catch (error) {
        throw new TurnoutError('webhook_secret_unreadable', { cause: error });
      }
    },
  };
}

function decrypt(key: Buffer, encrypted: Buffer, endpointId: string): string {
  const [nonce, rest] = [encrypted.subarray(0, NONCE_BYTES), encrypted.subarray(NONCE_BYTES)];
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(endpointId)).setAuthTag(rest.subarray(0, TAG_BYTES));
  return Buffer.concat([decipher.update(rest.subarray(TAG_BYTES)), decipher.final()]).toString('utf8');
}
