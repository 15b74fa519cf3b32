import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ServiceName } from '../../../../stack/services.ts';
import { checkOut, chosenRelease } from '../../../upgrade/releases.ts';
import { type Ground } from '../ground.ts';
import { restartWith, type Struck } from './strike.ts';

/** A reader comes before those who write what it reads; what is upgraded last goes back first. */
const UPGRADE_ORDER: readonly (readonly [ServiceName, string])[] = [
  ['metrics', 'metrics'],
  ['llm-worker', 'llm-worker-2'],
  ['router', 'router-2'],
];

/** Until all jobs of the round have ended, one instance of each of these is that of the last release, beside those of this version. */
export async function mixVersions(ground: Ground): Promise<Struck> {
  const since = Date.now();
  const root = lastRelease(ground);
  for (const instance of UPGRADE_ORDER.toReversed()) await restartWith(ground, instance, {}, root);
  return {
    since,
    after: async () => {
      for (const instance of UPGRADE_ORDER) await restartWith(ground, instance, {});
      return [];
    },
  };
}

/** Its checkout, which is made once. */
function lastRelease({ state }: Ground): string {
  const release = chosenRelease(undefined);
  const folder = join(state, `release-${release.version}`);
  if (!existsSync(folder)) checkOut(release, folder);
  return folder;
}
