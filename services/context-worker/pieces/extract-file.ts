import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { type Extractor } from '../documents/extract/extractor.ts';
import { UnreadableDocument } from '../documents/extract/unreadable-document.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { extractJob, type ExtractJob, ownerOf } from '../../../shared/content/files/extract-job.ts';
import { type FileRegistry, type Settlement } from '../../../shared/content/files/file-registry.ts';
import { textName } from '../../../shared/content/files/stored-file.ts';
import { type FileVectors } from '../vectors/file-vectors.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { whileWanted } from './while-wanted.ts';

export interface ExtractFileDeps {
  blobs: Pick<BlobStore, 'get' | 'put'>;
  extractor: Pick<Extractor, 'extract'>;
  files: Pick<FileRegistry, 'settle' | 'standing'>;
  /** Absent: passages are not embedded. */
  vectors?: Pick<FileVectors, 'request'> | undefined;
  log: Logger;
}

/**
 * Reads an uploaded file once, for all requests that name it later: uploaded -> processed | error. The text is stored before the record
 * refers to it. Afterwards the file's vectors are requested in the background. Throws only failures that another attempt may resolve: an
 * unavailable store, or a missing record, because the record is written last.
 */
export async function extractFile(deps: ExtractFileDeps, data: unknown): Promise<void> {
  const job = extractJob.parse(data);
  const settlement = await readWhileKept(deps, job);
  if (settlement === 'deleted') {
    deps.log.info({ fileId: job.fileId }, 'File was deleted before it was read');
    return;
  }
  const status = await deps.files.settle(job.fileId, settlement);
  if (status === '') throw new Error('the file has no record yet, or it was removed');
  const { status: result } = settlement;
  if (settlement.status === 'processed') deps.vectors?.request(job.fileId, settlement.text);
  deps.log.info({ fileId: job.fileId, format: job.format, bytes: job.content.bytes, result }, 'File read');
}

/** Stops reading when the user deletes the file. A file without a record is read, because its record may still be written. */
function readWhileKept(deps: ExtractFileDeps, job: ExtractJob): Promise<Settlement | 'deleted'> {
  const { files, log } = deps;
  const unwanted = async () =>
    (await files.standing(job.fileId)) === 'ending' ? new Error('the file was deleted') : undefined;
  const onError = (error: unknown) =>
    log.warn({ err: error }, 'Could not check whether a file was deleted; reading it anyway');
  return whileWanted({ unwanted, onError }, async (signal) => {
    try {
      signal.throwIfAborted();
      return await read(deps, job, signal);
    } catch (error) {
      if (signal.aborted) return 'deleted';
      throw error;
    }
  });
}

async function read(
  { blobs, extractor }: ExtractFileDeps,
  job: ExtractJob,
  signal: AbortSignal,
): Promise<Settlement> {
  const { fileId, format, content } = job;
  try {
    const bytes = () => blobs.get(content, signal);
    const text = await extractor.extract({ format, bytes, user: ownerOf(job) }, signal);
    return { status: 'processed', text: await blobs.put(textName(fileId), text) };
  } catch (error) {
    return { status: 'error', details: whyUnreadable(error) };
  }
}

/** Why the file cannot be read. Rethrows errors that the file did not cause. */
function whyUnreadable(error: unknown): string {
  if (error instanceof UnreadableDocument) return asSentence(error.message);
  if (error instanceof TurnoutError && error.code === 'unreadable_message') return error.message;
  throw error;
}

function asSentence(reason: string): string {
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;
}

/** Records that the queue has failed the file: it made its workers fail, or the stores were unavailable for too long. */
export async function giveFileUp({ files, log }: ExtractFileDeps, data: unknown): Promise<void> {
  const job = extractJob.safeParse(data);
  if (!job.success) return;
  const { fileId } = job.data;
  log.error({ fileId }, 'File failed: it could not be read after several attempts');
  const details = 'The file could not be read. Upload it again.';
  await files.settle(fileId, { status: 'error', details }).catch((error: unknown) => {
    log.error({ err: error, fileId }, 'Could not record the failure of a file; its status stays as it was');
  });
}
