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
 * The vectors of uploaded files, stored beside each one's text and removed with it: missing -> waiting in the queue -> stored.
 * They belong to one text, cutting and model: those of another one are as good as none, and replaced.
 */
export interface FileVectors {
  /** Undefined where there are none. */
  find(fileId: string, textBytes: number): Promise<PassageVectors | undefined>;
  /**
   * They will be there soon; not those of a text so large or so small that nobody needs them. Nobody waits for it: where it
   * fails the log says so, and whoever asks about the file next asks again.
   */
  request(fileId: string, text: BlobRef): void;
  /** Embeds and stores them. Rejects with what the embeddings or the stores reject with. */
  store(job: VectorsJob, signal: AbortSignal): Promise<void>;
}

interface FileVectorsOptions {
  blobs: Pick<BlobStore, 'get' | 'put' | 'load'>;
  embeddings: Embeddings;
  queue: Pick<VectorsQueue, 'add'>;
  /** Tokens: a text that fits goes to the model whole. */
  wholeTokens: number;
  log: Logger;
}

/** Of text, about a million tokens in 4,000 passages: of what is larger, passages are compared when it is asked about. */
const MOST_TEXT_BYTES = 4 * 1024 * 1024;
/** For all passages of a file. */
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
        log.warn({ err: error, fileId }, 'A file waits for its vectors until somebody asks about it');
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
