import { type ServiceName } from '../../../../stack/services.ts';
import { type Ground, settingsOf } from '../ground.ts';

export interface Struck {
  /** From when on recovery counts; milliseconds since the epoch. */
  since: number;
  /** Called when every job of the round has ended: undoes what the fault has left, and says in words what is wrong. */
  after?: () => Promise<readonly string[]>;
}

/** Resolves when everything that was taken away is back, but for what `after` undoes. */
export type Strike = (ground: Ground, random: () => number) => Promise<Struck>;

export function oneOfTwo<Name extends string>(service: Name, random: () => number): Name | `${Name}-2` {
  return random() < 0.5 ? service : `${service}-2`;
}

/** Asks an instance to stop, and starts it again with other settings over its own. */
export async function restartWith(
  { services }: Ground,
  [name, instance]: readonly [ServiceName, string],
  env: Readonly<Record<string, string>>,
  root?: string,
): Promise<void> {
  await services.kill(instance, 'SIGTERM');
  await services.start(name, instance, { ...settingsOf(instance), ...env }, root);
}
