import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ServiceName } from '../../../../stack/services.ts';
import { checkOut, chosenRelease } from '../../../upgrade/releases.ts';
import { type Ground } from '../ground.ts';
import { restartWith, type Struck } from './strike.ts';

/** Consumers are upgraded before the producers whose messages they read, and go back in the reverse order. */
const UPGRADE_ORDER: readonly (readonly [ServiceName, string])[] = [
  ['metrics', 'metrics'],
  ['llm-worker', 'llm-worker-2'],
  ['router', 'router-2'],
];

/** Runs one instance of each of these from the last release, together with this version's instances, until all jobs of the round have ended. */
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

/** The checkout of the last release, made once. */
function lastRelease({ state }: Ground): string {
  const release = chosenRelease(undefined);
  const folder = join(state, `release-${release.version}`);
  if (!existsSync(folder)) checkOut(release, folder);
  return folder;
}
