import { execFileSync } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { repositoryRoot } from '../../stack/layout.ts';

const release = z.object({
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  commit: z.string().regex(/^[0-9a-f]{40}$/),
});
export type Release = z.infer<typeof release>;

/** RELEASE: a version of `docs/releases.json`; the last one where it is not set. Throws naming what is wrong. */
export function chosenRelease(version: string | undefined): Release {
  const releases = readReleases();
  const release = version === undefined ? releases.at(-1) : releases.find((one) => one.version === version);
  if (release) return release;
  throw new Error(`RELEASE must be one of ${releases.map((one) => one.version).join(', ')}`);
}

/** The oldest first. Tags do not travel with every copy of the repository; this list does. */
function readReleases(): Release[] {
  const file = join(repositoryRoot, 'docs', 'releases.json');
  return z
    .array(release)
    .min(1)
    .parse(JSON.parse(readFileSync(file, 'utf8')));
}

/** A checkout of the release in that folder, which has this checkout's packages. Throws where the history lacks the commit. */
export function checkOut({ commit }: Release, folder: string): void {
  execFileSync('git', ['clone', '--quiet', '--local', '--no-checkout', repositoryRoot, folder]);
  execFileSync('git', ['-C', folder, 'checkout', '--quiet', '--detach', commit]);
  symlinkSync(join(repositoryRoot, 'node_modules'), join(folder, 'node_modules'));
}
