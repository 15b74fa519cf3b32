import { type ServiceName } from '../../../../stack/services.ts';
import { type Ground, settingsOf } from '../ground.ts';

export interface Struck {
  /** The time from which recovery counts, in milliseconds since the epoch. */
  since: number;
  /** Called when every job of the round has ended: undoes the remaining effects of the fault, and returns what is wrong, in words. */
  after?: () => Promise<readonly string[]>;
}

/** Resolves when everything that was taken away is back, except what `after` undoes. */
export type Strike = (ground: Ground, random: () => number) => Promise<Struck>;

export function oneOfTwo<Name extends string>(service: Name, random: () => number): Name | `${Name}-2` {
  return random() < 0.5 ? service : `${service}-2`;
}

/** Stops an instance gracefully and starts it again with additional settings. */
export async function restartWith(
  { services }: Ground,
  [name, instance]: readonly [ServiceName, string],
  env: Readonly<Record<string, string>>,
  root?: string,
): Promise<void> {
  await services.kill(instance, 'SIGTERM');
  await services.start(name, instance, { ...settingsOf(instance), ...env }, root);
}
