import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot, stateFolder } from '../../../stack/layout.ts';
import { type Kind, type SuiteSize } from './plan.ts';
import { type SuiteResult } from './run-suite.ts';

/** The results of a long run, one file for each kind of fault. Only results of the same commit, seed and size are reused. */
export interface Results {
  find(kind: Kind): SuiteResult | undefined;
  keep(kind: Kind, result: SuiteResult): SuiteResult;
  clear(): void;
}

interface Kept {
  commit: string;
  seed: number;
  jobs: number;
  faults: number;
  result: SuiteResult;
}

export function createResults(
  { seed, jobs, faultsOfEachKind: faults }: Pick<SuiteSize, 'seed' | 'jobs' | 'faultsOfEachKind'>,
  { commit = currentCommit(), folder = join(stateFolder(), 'reports', 'faults') } = {},
): Results {
  const fileOf = (kind: Kind) => join(folder, `${kind.replaceAll(' ', '-')}.json`);
  return {
    find: (kind) => {
      const file = fileOf(kind);
      if (!existsSync(file)) return undefined;
      const kept = JSON.parse(readFileSync(file, 'utf8')) as Kept;
      const same =
        kept.commit === commit && kept.seed === seed && kept.jobs === jobs && kept.faults === faults;
      return same ? kept.result : undefined;
    },
    keep: (kind, result) => {
      mkdirSync(folder, { recursive: true });
      const kept: Kept = { commit, seed, jobs, faults, result };
      writeFileSync(fileOf(kind), JSON.stringify(kept));
      return result;
    },
    clear: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function currentCommit(): string {
  return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: repositoryRoot, encoding: 'utf8' }).trim();
}
