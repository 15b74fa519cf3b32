import { createHash } from 'node:crypto';
import { z } from 'zod';

const jarSchema = z.object({
  /** Where the jar lies in a Maven repository: group/artifact/version/file. */
  path: z.string().regex(/^[\w.-]+(\/[\w.-]+)+\.jar$/, 'must be a path in a Maven repository'),
  bytes: z.number().int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits'),
});
const jarLockSchema = z.object({ jars: z.array(jarSchema).min(1) });

export type LockedJar = z.infer<typeof jarSchema>;
export type JarLock = z.infer<typeof jarLockSchema>;

/** Reads a lock file's text. Throws when it is not one, naming what is wrong. */
export function parseJarLock(text: string): JarLock {
  return jarLockSchema.parse(JSON.parse(text));
}

export function sha256Of(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Throws unless the content is byte for byte what was locked. */
export function verifyJar(jar: LockedJar, content: Uint8Array): void {
  const actual = sha256Of(content);
  if (actual === jar.sha256) return;
  throw new Error(
    `${jar.path} is not the file that was locked: its SHA-256 is ${actual} (${content.length} bytes), ` +
      `the lock says ${jar.sha256} (${jar.bytes} bytes). Nothing of it was kept.`,
  );
}
