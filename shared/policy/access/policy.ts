import { readFile, stat } from 'node:fs/promises';
import { type InStep, keepInStep, markOf } from '../../platform/config/keep-in-step.ts';
import { ConfigError } from '../../platform/config/load.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Entitlement, entitlementOf } from './entitlement.ts';
import { OPEN_POLICY, type PolicyFile, readPolicy } from './policy-file.ts';
import { type Principal } from './principal.ts';

/** Permissions and limits of users, according to the current policy file. */
export interface Policy {
  of(who: Pick<Principal, 'user' | 'groups'>): Entitlement;
  close(): Promise<void>;
}

interface PolicyOptions {
  /** Undefined: no restrictions. */
  file: string | undefined;
  log: Logger;
  /** Interval between two checks of the file, in milliseconds. */
  everyMs?: number;
}

/** Throws `ConfigError` with all problems if the file is missing or not valid at the start. */
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

/** A `ConfigError` keeps the last policy in force: a policy file that disappears later must not remove all restrictions. */
function cannotRead(file: string): (error: unknown) => never {
  return (error) => {
    throw new ConfigError([
      `POLICY_FILE: ${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`,
    ]);
  };
}
