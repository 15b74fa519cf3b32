import { createHash } from 'node:crypto';
import stringify from 'safe-stable-stringify';

/** SHA-256 of a JSON value in hex, independent of the order of its keys. */
export function fingerprintOf(value: object): string {
  return createHash('sha256').update(stringify(value)).digest('hex');
}
