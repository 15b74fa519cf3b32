import { type BlobStore } from '../../../shared/blobs/blob-store.ts';
import { type Config } from '../../../shared/config/schema.ts';
import { createExtractQueue, type ExtractQueue } from '../../../shared/files/extract-queue.ts';
import { createFileRegistry, type FileRegistry } from '../../../shared/files/file-registry.ts';
import { type Releasers } from '../../../shared/lifecycle/releasers.ts';
import { type Logger } from '../../../shared/log/logger.ts';
import { type Redis } from '../../../shared/redis/connect.ts';
import { fileKeys } from '../../../shared/redis/keys.ts';
import { createFileSweep } from './file-sweep.ts';

interface FilePartsOptions {
  config: Config;
  redis: Redis;
  blobs: BlobStore;
  releasers: Releasers;
  log: Logger;
}

/** What an ingress needs of files, with their sweep running. */
export function startFileParts(options: FilePartsOptions): { files: FileRegistry; queue: ExtractQueue } {
  const { config, redis, blobs, releasers, log } = options;
  const files = createFileRegistry({
    redis,
    keys: fileKeys(config.REDIS_PREFIX),
    maxFilesPerUser: config.MAX_FILES_PER_USER,
    graceMs: config.FILE_GRACE_MS,
  });
  const sweep = createFileSweep({ blobs, files, log });
  releasers.defer('file sweep', () => sweep.close());
  sweep.start();
  const queue = createExtractQueue({ connection: redis, redisPrefix: config.REDIS_PREFIX, log });
  releasers.defer('extract queue', () => queue.close());
  return { files, queue };
}
