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

/** The release of `docs/releases.json` that RELEASE names; the last one if it is not set. Throws an error that lists the valid versions. */
export function chosenRelease(version: string | undefined): Release {
  const releases = readReleases();
  const release = version === undefined ? releases.at(-1) : releases.find((one) => one.version === version);
  if (release) return release;
  throw new Error(`RELEASE must be one of ${releases.map((one) => one.version).join(', ')}`);
}

/** Oldest first. The list exists because not every copy of the repository has the tags. */
function readReleases(): Release[] {
  const file = join(repositoryRoot, 'docs', 'releases.json');
  return z
    .array(release)
    .min(1)
    .parse(JSON.parse(readFileSync(file, 'utf8')));
}

/** Checks out the release into the folder, with this checkout's node_modules. Throws if the history lacks the commit. */
export function checkOut({ commit }: Release, folder: string): void {
  execFileSync('git', ['clone', '--quiet', '--local', '--no-checkout', repositoryRoot, folder]);
  execFileSync('git', ['-C', folder, 'checkout', '--quiet', '--detach', commit]);
  symlinkSync(join(repositoryRoot, 'node_modules'), join(folder, 'node_modules'));
}
