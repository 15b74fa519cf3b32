import { type FilePurpose, type StoredFile } from '../../../shared/content/files/stored-file.ts';

/** OpenAI's file object. Times in seconds since the epoch. */
export interface FileObject {
  id: string;
  object: 'file';
  bytes: number;
  created_at: number;
  expires_at?: number;
  filename: string;
  purpose: FilePurpose;
  status: StoredFile['status'];
  status_details?: string;
}

type Shown = Omit<StoredFile, 'format' | 'mediaType' | 'text'>;

export function fileObject(file: Shown): FileObject {
  const { id, content, createdAt, expiresAt, filename, purpose, status, details } = file;
  return {
    id,
    object: 'file',
    bytes: content.bytes,
    created_at: seconds(createdAt),
    ...(expiresAt === undefined ? {} : { expires_at: seconds(expiresAt) }),
    filename,
    purpose,
    status,
    ...(details === undefined ? {} : { status_details: details }),
  };
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000);
}
