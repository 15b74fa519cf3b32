import { createHash } from 'node:crypto';
import { type BlobRef } from './blob-ref.ts';
import { TurnoutError } from '../errors/turnout-error.ts';
import { damagedBlob } from './blob-store.ts';

/** A stream of bytes into a store, with their count and hash. */
export interface MeasuredStream {
  chunks: AsyncGenerator<Uint8Array>;
  /** Digest of the bytes so far; complete once `chunks` has ended. */
  digest(): Pick<BlobRef, 'sha256' | 'bytes'>;
  /** The error that ended the stream early: the source's error or `body_too_large`. The store itself did not fail then. */
  failure(): unknown;
}

/** Counts and hashes the bytes of a stream. Throws `body_too_large` after more than `maxBytes`. */
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
 * Verifies the chunks of a stored body. It holds back the last chunk until length and hash are verified, so a reader that reaches
 * the end has read the original bytes. Throws `unreadable_message` instead of ending if they do not match.
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
  if (hash.digest('hex') !== ref.sha256) throw damagedBlob(ref, 'does not match its SHA-256');
  if (held) yield held;
}
