import { z } from 'zod';
import { documentFormat } from '../../contracts/job-message.ts';
import { type BlobRef } from '../../platform/blobs/blob-ref.ts';

/** OpenAI's purposes. Turnout does not distinguish them: requests may refer to any file. */
export const filePurpose = z.enum(['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals']);
export type FilePurpose = z.infer<typeof filePurpose>;

const whole = z.string().regex(/^\d+$/).transform(Number);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** A file's record in Redis. Times are in milliseconds since the epoch. */
export const fileRecord = z.object({
  owner: z.string().min(1),
  filename: z.string().min(1),
  purpose: filePurpose,
  format: documentFormat,
  media_type: z.string().min(1),
  bytes: whole,
  sha256,
  created: whole,
  expires: whole.optional(),
  deleted: whole.optional(),
  status: z.enum(['uploaded', 'processed', 'error']),
  details: z.string().optional(),
  text_bytes: whole.optional(),
  text_sha256: sha256.optional(),
});
type FileRecord = z.infer<typeof fileRecord>;

/** A file as its user sees it: uploaded -> processed | error. Only `settle.lua` changes the status. */
export interface StoredFile {
  id: string;
  filename: string;
  purpose: FilePurpose;
  format: FileRecord['format'];
  mediaType: string;
  createdAt: number;
  expiresAt: number | undefined;
  status: FileRecord['status'];
  /** Why the file could not be read. Safe for clients. */
  details: string | undefined;
  content: BlobRef;
  /** The extracted text; undefined until the file is processed. */
  text: BlobRef | undefined;
}

/** The blob store's folder of users' files, with one folder for each file. */
export const FILES_FOLDER = 'files';

export function contentName(fileId: string): string {
  return `${FILES_FOLDER}/${fileId}/content`;
}

export function textName(fileId: string): string {
  return `${FILES_FOLDER}/${fileId}/text`;
}

/** The embeddings of the file's passages, from one embedding model. */
export function vectorsName(fileId: string): string {
  return `${FILES_FOLDER}/${fileId}/vectors`;
}

/** Undefined for a file that the user cannot see: it belongs to another user, was deleted, or has expired. */
export function visibleFile(
  id: string,
  record: FileRecord,
  user: string,
  now: number,
): StoredFile | undefined {
  const { owner, deleted, expires, bytes, sha256: hash, text_bytes, text_sha256 } = record;
  if (owner !== user || deleted !== undefined || (expires !== undefined && expires <= now)) return undefined;
  const read = text_bytes !== undefined && text_sha256 !== undefined;
  return {
    id,
    filename: record.filename,
    purpose: record.purpose,
    format: record.format,
    mediaType: record.media_type,
    createdAt: record.created,
    expiresAt: expires,
    status: record.status,
    details: record.details,
    content: { kind: 'blob', name: contentName(id), sha256: hash, bytes },
    text: read ? { kind: 'blob', name: textName(id), sha256: text_sha256, bytes: text_bytes } : undefined,
  };
}
