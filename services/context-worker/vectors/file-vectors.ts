import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { type BlobRef } from '../../../shared/platform/blobs/blob-ref.ts';
import { fitsWhole } from '../documents/choose-passages.ts';
import { cutIntoPassages } from '../documents/cut-into-passages.ts';
import {
  decodeVectors,
  encodeVectors,
  type PassageVectors,
  packVectors,
  textToEmbed,
} from '../documents/passage-vectors.ts';
import { type Embeddings } from '../embeddings/embeddings.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { vectorsName } from '../../../shared/content/files/stored-file.ts';
import { type VectorsJob, type VectorsQueue } from './vectors-queue.ts';

/**
 * The vectors of uploaded files, stored with each file's text and removed with it: missing -> waiting in the queue -> stored. They
 * belong to one text, one cutting version and one model. Vectors of another one count as missing and are replaced.
 */
export interface FileVectors {
  /** Undefined when the file has no usable vectors. */
  find(fileId: string, textBytes: number): Promise<PassageVectors | undefined>;
  /**
   * Requests the vectors of a file in the background, unless its text is too small or too large to need them. A failure is logged; the
   * next question about the file requests them again.
   */
  request(fileId: string, text: BlobRef): void;
  /** Embeds the file's passages and stores the vectors. Rejects with the error of the embeddings or the store. */
  store(job: VectorsJob, signal: AbortSignal): Promise<void>;
}

interface FileVectorsOptions {
  blobs: Pick<BlobStore, 'get' | 'put' | 'load'>;
  embeddings: Embeddings;
  queue: Pick<VectorsQueue, 'add'>;
  /** A text of at most this many tokens goes to the model whole. */
  wholeTokens: number;
  log: Logger;
}

/** About a million tokens in 4,000 passages. Larger texts have no stored vectors; their passages are embedded for each question. */
const MOST_TEXT_BYTES = 4 * 1024 * 1024;
/** The timeout for all passages of a file. */
const TIMEOUT_MS = 300_000;

export function createFileVectors({
  blobs,
  embeddings,
  queue,
  wholeTokens,
  log,
}: FileVectorsOptions): FileVectors {
  const { model } = embeddings;
  return {
    find: async (fileId, textBytes) => {
      const stored = textBytes > MOST_TEXT_BYTES ? undefined : await blobs.load(vectorsName(fileId));
      return stored && decodeVectors(stored, { model, textBytes });
    },
    request: (fileId, text) => {
      // A token has at least one byte.
      if (text.bytes <= wholeTokens || text.bytes > MOST_TEXT_BYTES) return;
      queue.add({ version: 1, fileId, text }).catch((error: unknown) => {
        log.warn(
          { err: error, fileId },
          'Could not request the vectors of a file; the next question about it requests them again',
        );
      });
    },
    store: async ({ fileId, text }, signal) => {
      const whole = (await blobs.get(text, signal)).toString();
      if (fitsWhole(whole, wholeTokens)) return;
      const texts = cutIntoPassages(whole).map(textToEmbed);
      const vectors = await embeddings.embed(texts, { signal, timeoutMs: TIMEOUT_MS });
      await blobs.put(
        vectorsName(fileId),
        encodeVectors(packVectors(vectors, { model, textBytes: text.bytes })),
      );
    },
  };
}
