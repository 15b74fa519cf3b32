import { type InStep, keepInStep } from '../../platform/config/keep-in-step.ts';
import { ConfigError } from '../../platform/config/load.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Assistant } from './assistant-file.ts';
import { fingerprint, readAssistants, readFolder } from './read-folder.ts';

/** What is made of the assistants of a folder, kept in step with the folder. */
export type AssistantRegistry<T> = InStep<T>;

interface RegistryOptions<T> {
  /** Of YAML files, one for each assistant. One that is not there holds none. */
  folder: string;
  /** Names of the retrieval services that they may ask. */
  sources: readonly string[];
  /** Makes of the assistants what this process needs. */
  build: (assistants: readonly Assistant[]) => T;
  log: Logger;
  /** Milliseconds between two looks at the folder. */
  everyMs?: number;
}

/** Throws `ConfigError` with every problem where the first state is broken. */
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
