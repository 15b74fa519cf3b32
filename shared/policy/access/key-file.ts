import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError } from '../../platform/config/load.ts';
import { apiKey, keyOwner } from './api-key.ts';

const keyFile = z.object({
  keys: z.array(
    z.object({
      id: z.string().min(1),
      ...keyOwner.shape,
      sha256: apiKey.shape.sha256,
      expires_at: z.iso
        .datetime({ offset: true })
        .transform((text) => Date.parse(text))
        .optional(),
    }),
  ),
});

/** A key that the deployment provides in a file, as id and hash, without the key itself. */
export interface FileKey extends z.infer<typeof keyOwner> {
  id: string;
  sha256: string;
  /** Milliseconds since the epoch. */
  expiresAt: number | undefined;
}

/** Throws `ConfigError` if the file is missing or invalid. */
export function readKeyFile(file: string): FileKey[] {
  try {
    const { keys } = keyFile.parse(JSON.parse(readFileSync(file, 'utf8')));
    return keys.map(({ expires_at: expiresAt, ...key }) => ({ ...key, expiresAt }));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new ConfigError([`API_KEYS_FILE: ${file} is not a readable key file: ${reason}`]);
  }
}
