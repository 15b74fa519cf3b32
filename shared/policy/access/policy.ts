import { readFile, stat } from 'node:fs/promises';
import { type InStep, keepInStep, markOf } from '../../platform/config/keep-in-step.ts';
import { ConfigError } from '../../platform/config/load.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Entitlement, entitlementOf } from './entitlement.ts';
import { OPEN_POLICY, type PolicyFile, readPolicy } from './policy-file.ts';
import { type Principal } from './principal.ts';

/** Who may do what, as the file says by now. */
export interface Policy {
  of(who: Pick<Principal, 'user' | 'groups'>): Entitlement;
  close(): Promise<void>;
}

interface PolicyOptions {
  /** Undefined: everybody may do everything. */
  file: string | undefined;
  log: Logger;
  /** Milliseconds between two looks at the file. */
  everyMs?: number;
}

/** Throws `ConfigError` with every problem where the file is not valid at first, or not there. */
export async function openPolicy({ file, ...options }: PolicyOptions): Promise<Policy> {
  if (file === undefined)
    return { of: (who) => entitlementOf(OPEN_POLICY, who), close: () => Promise.resolve() };
  const policy: InStep<PolicyFile> = await keepInStep({
    ...options,
    what: 'Policies',
    fingerprint: async () => markOf(file, await stat(file).catch(cannotRead(file))),
    read: async () => {
      const read = readPolicy(await readFile(file, 'utf8').catch(cannotRead(file)));
      if ('problems' in read)
        throw new ConfigError(read.problems.map((problem) => `POLICY_FILE: ${file}: ${problem}`));
      options.log.info({ file }, 'Policies read');
      return read.value;
    },
  });
  return { of: (who) => entitlementOf(policy.current(), who), close: () => policy.close() };
}

/** A file that goes missing later is not one that lets everybody do everything. */
function cannotRead(file: string): (error: unknown) => never {
  return (error) => {
    throw new ConfigError([
      `POLICY_FILE: ${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`,
    ]);
  };
}
