import { createHash } from 'node:crypto';
import { type BlobRef } from './blob-ref.ts';
import { TurnoutError } from '../errors/turnout-error.ts';
import { damagedBlob } from './blob-store.ts';

/** Bytes on their way into a store. */
export interface MeasuredStream {
  chunks: AsyncGenerator<Uint8Array>;
  /** Of what has passed: complete when `chunks` has ended. */
  digest(): Pick<BlobRef, 'sha256' | 'bytes'>;
  /** What ended the stream early: its source's own error, or the limit's. Then nothing is wrong with the store. */
  failure(): unknown;
}

/** Counts and hashes what passes, and ends with `body_too_large` once that is more than `maxBytes`. */
export function measuredStream(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  maxBytes: number,
): MeasuredStream {
  const hash = createHash('sha256');
  let bytes = 0;
  let failure: unknown;

  async function* pass(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of source) {
        bytes += chunk.byteLength;
        if (bytes > maxBytes) throw new TurnoutError('body_too_large');
        hash.update(chunk);
        yield chunk;
      }
    } catch (error) {
      failure = error;
      throw error;
    }
  }

  return {
    chunks: pass(),
    digest: () => ({ sha256: hash.copy().digest('hex'), bytes }),
    failure: () => failure,
  };
}

/**
 * The chunks of a stored body. The last one is held back until all of them were verified: who reads to the end has read
 * what was put. Throws `unreadable_message` instead of ending.
 */
export async function* verifiedChunks(
  ref: BlobRef,
  stored: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  let held: Uint8Array | undefined;
  for await (const chunk of stored) {
    bytes += chunk.byteLength;
    if (bytes > ref.bytes) throw damagedBlob(ref, `has more than ${ref.bytes} bytes`);
    hash.update(chunk);
    if (held) yield held;
    held = chunk;
  }
  if (bytes !== ref.bytes) throw damagedBlob(ref, `ends after ${bytes} of ${ref.bytes} bytes`);
  if (hash.digest('hex') !== ref.sha256) throw damagedBlob(ref, 'its SHA-256 does not match');
  if (held) yield held;
}
