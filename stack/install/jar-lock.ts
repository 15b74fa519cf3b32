import { createHash } from 'node:crypto';
import { z } from 'zod';

const jarSchema = z.object({
  /** The jar's path in a Maven repository: group/artifact/version/file. */
  path: z.string().regex(/^[\w.-]+(\/[\w.-]+)+\.jar$/, 'must be a path in a Maven repository'),
  bytes: z.number().int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits'),
});
const jarLockSchema = z.object({ jars: z.array(jarSchema).min(1) });

export type LockedJar = z.infer<typeof jarSchema>;
export type JarLock = z.infer<typeof jarLockSchema>;

/** Parses the text of a lock file. Throws an error that names the problem if it is not valid. */
export function parseJarLock(text: string): JarLock {
  return jarLockSchema.parse(JSON.parse(text));
}

export function sha256Of(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Throws if the content's hash is not the locked one. */
export function verifyJar(jar: LockedJar, content: Uint8Array): void {
  const actual = sha256Of(content);
  if (actual === jar.sha256) return;
  throw new Error(
    `${jar.path} is not the file that was locked: its SHA-256 is ${actual} (${content.length} bytes), ` +
      `the lock says ${jar.sha256} (${jar.bytes} bytes). If the file is in the cache, remove it and try again.`,
  );
}
