import { type Kind, kinds, type SuiteSize } from './plan.ts';

/**
 * Reads SEED, JOBS, FAULTS (of each kind) and KINDS (comma-separated) from the environment; FULL=1 selects the long run.
 * Throws an error that names the invalid variable.
 */
export function suiteSize(env: NodeJS.ProcessEnv, questions: number): SuiteSize {
  const full = env['FULL'] === '1';
  return {
    seed: whole(env, 'SEED', 1),
    jobs: whole(env, 'JOBS', full ? 20_000 : 5_000),
    faultsOfEachKind: whole(env, 'FAULTS', full ? 50 : 5),
    kinds: chosenKinds(env['KINDS'], full),
    questions,
  };
}

function whole(env: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const text = env[name];
  if (text === undefined || text === '') return otherwise;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`${name} must be a whole number from 1, not ${text}`);
  return Number(text);
}

function chosenKinds(text: string | undefined, full: boolean): readonly Kind[] {
  // After a failover no usage is exact, so a failover would hide the effect of other kinds on usage.
  if (text === undefined || text === '')
    return full ? kinds : kinds.filter((kind) => kind !== 'lossy failover');
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !kinds.some((kind) => kind === name));
  if (unknown.length > 0)
    throw new Error(`KINDS has unknown names: ${unknown.join(', ')}. Known names: ${kinds.join(', ')}`);
  return kinds.filter((kind) => names.includes(kind));
}
