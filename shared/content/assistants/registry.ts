import { type InStep, keepInStep } from '../../platform/config/keep-in-step.ts';
import { ConfigError } from '../../platform/config/load.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Assistant } from './assistant-file.ts';
import { fingerprint, readAssistants, readFolder } from './read-folder.ts';

/** A value built from a folder's assistants, and rebuilt when the folder changes. */
export type AssistantRegistry<T> = InStep<T>;

interface RegistryOptions<T> {
  /** The folder with one YAML file for each assistant. A missing folder counts as empty. */
  folder: string;
  /** Names of the configured retrieval services. */
  sources: readonly string[];
  /** Builds the value that this process needs. */
  build: (assistants: readonly Assistant[]) => T;
  log: Logger;
  /** Milliseconds between two checks of the folder. */
  everyMs?: number;
}

/** Throws `ConfigError` with all problems when the folder is invalid at the start. */
export async function openAssistants<T>({
  folder,
  sources,
  build,
  ...options
}: RegistryOptions<T>): Promise<AssistantRegistry<T>> {
  const { log } = options;
  return keepInStep({
    ...options,
    what: 'Assistants',
    fingerprint: () => fingerprint(folder),
    read: async () => {
      const { assistants, problems } = readAssistants(await readFolder(folder), sources);
      if (problems.length > 0) throw new ConfigError(problems.map((problem) => `ASSISTANTS_DIR: ${problem}`));
      log.info(
        { assistants: assistants.map(({ name, version }) => `${name} ${version}`) },
        'Assistants read',
      );
      return build(assistants);
    },
  });
}
