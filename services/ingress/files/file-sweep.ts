import { type BlobStore } from '../../../shared/blobs/blob-store.ts';
import { type FileRegistry } from '../../../shared/files/file-registry.ts';
import { FILES_FOLDER } from '../../../shared/files/stored-file.ts';
import { type Logger } from '../../../shared/log/logger.ts';
import { periodically } from '../../../shared/util/periodically.ts';
import { sweepFolders } from '../sweep-folders.ts';

/**
 * Removes the bytes of files that nobody knows any more: deleted or expired ones whose grace is over, and uploads that
 * were never recorded. A record comes after its bytes; those that were put lately are spared.
 */
export interface FileSweep {
  sweep(): Promise<void>;
  start(): void;
  close(): Promise<void>;
}

interface FileSweepOptions {
  blobs: Pick<BlobStore, 'staleFolders' | 'removeFolder'>;
  files: Pick<FileRegistry, 'known'>;
  log: Logger;
  /** Milliseconds since the last put into a file's folder. */
  spareMs?: number;
}

const EVERY_MS = 600_000;
/** Far longer than between the end of an upload and its record. */
const SPARE_MS = 3_600_000;

export function createFileSweep({ blobs, files, log, spareMs = SPARE_MS }: FileSweepOptions): FileSweep {
  let closing = false;

  async function sweep(): Promise<void> {
    const folders = await blobs.staleFolders(FILES_FOLDER, spareMs);
    await sweepFolders(folders, sweepFile, () => closing);
  }

  async function sweepFile(folder: string): Promise<void> {
    if (!(await files.known(folder.slice(FILES_FOLDER.length + 1)))) await blobs.removeFolder(folder);
  }

  const work = periodically({
    everyMs: EVERY_MS,
    run: sweep,
    onError: (error) => log.warn({ err: error }, 'Old files were not removed; it will be tried again'),
  });
  return {
    sweep,
    start: work.start,
    close: async () => {
      closing = true;
      await work.close();
    },
  };
}
