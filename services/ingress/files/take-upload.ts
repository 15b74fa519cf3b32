import { type FastifyRequest } from 'fastify';
import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { newFileId, userDigest } from '../../../shared/platform/ids.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type ExtractQueue } from './extract-queue.ts';
import { type FileRegistry } from '../../../shared/content/files/file-registry.ts';
import { contentName, FILES_FOLDER } from '../../../shared/content/files/stored-file.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { fileObject, type FileObject } from './file-object.ts';
import { type ReceivedUpload, receiveUpload } from './receive-upload.ts';
import { type Upload, type UploadLimits } from './upload-limits.ts';

export interface TakeUploadDeps {
  blobs: BlobStore;
  files: FileRegistry;
  queue: Pick<ExtractQueue, 'add'>;
  limits: UploadLimits;
  /** The maximum size of a file. Bytes. */
  maxBytes: number;
  log: Logger;
}

/**
 * Accepts an upload: admitted (rate limit, budget, storage limit) -> bytes stored -> extraction queued -> record written =
 * accepted.
 *
 * The record is written last, so that every recorded file has its bytes and a queued extraction. If the process crashes before,
 * the sweep removes the bytes, and the extraction finds no record and is dropped.
 */
export async function takeUpload(
  deps: TakeUploadDeps,
  { caller, onRates }: { caller: Principal; onRates: Upload['onRates'] },
  request: FastifyRequest,
): Promise<FileObject> {
  const { user } = caller;
  const createdAt = Date.now();
  const id = newFileId(user, createdAt);
  try {
    const { blobs, maxBytes } = deps;
    const quota = await deps.limits.admit({ fileId: id, caller, onRates });
    const upload = await receiveUpload(request, { blobs, name: contentName(id), maxBytes });
    return await record(deps, { id, user, createdAt, upload, quota });
  } catch (error) {
    discardRest(request);
    await forget(deps, id, error);
    throw error;
  }
}

interface Taken {
  id: string;
  user: string;
  createdAt: number;
  upload: ReceivedUpload;
  /** The maximum bytes of all the user's files. */
  quota: number;
}

async function record(
  deps: TakeUploadDeps,
  { id, user, createdAt, upload, quota }: Taken,
): Promise<FileObject> {
  const { filename, purpose, format, mediaType, content, expiresAfterMs } = upload;
  const expiresAt = expiresAfterMs === undefined ? undefined : createdAt + expiresAfterMs;
  const file = { id, filename, purpose, format, mediaType, content, createdAt, expiresAt };
  await queueReading(deps, { version: 1, fileId: id, format, content, user: userDigest(user) });
  await deps.files.create({ ...file, owner: user }, quota);
  return fileObject({ ...file, status: 'uploaded', details: undefined });
}

async function queueReading(
  { queue }: TakeUploadDeps,
  job: Parameters<ExtractQueue['add']>[0],
): Promise<void> {
  await queue.add(job).catch((cause: unknown) => {
    throw new TurnoutError('store_unavailable', {
      message: 'The file store is unavailable. Try again.',
      cause,
      retryAfterS: 2,
    });
  });
}

/** The client reads no response before it has sent everything, so the rest of the body is read and discarded. */
function discardRest({ raw }: FastifyRequest): void {
  raw.unpipe();
  raw.resume();
}

/** If it is unknown whether the record was written, the bytes stay for the sweep. */
async function forget({ blobs, log }: TakeUploadDeps, id: string, error: unknown): Promise<void> {
  if (error instanceof TurnoutError && error.code === 'store_unavailable') return;
  await blobs.removeFolder(`${FILES_FOLDER}/${id}`).catch((failure: unknown) => {
    log.warn(
      { err: failure, fileId: id },
      'Could not remove the bytes of a rejected upload; the sweep will remove them',
    );
  });
}
