import { ConfigError } from '../config/load.ts';
import { type Logger } from '../log/logger.ts';
import { periodically } from '../util/periodically.ts';
import { type Assistant } from './assistant-file.ts';
import { fingerprint, readAssistants, readFolder } from './read-folder.ts';

/** What is made of the assistants of a folder, kept in step with the folder. */
export interface AssistantRegistry<T> {
  /** Made of one state of the folder: whoever needs it twice for one request asks once. */
  current(): T;
  /** Looks at the folder now. Never rejects: what is wrong is logged. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

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

const LOOK_EVERY_MS = 2_000;

/**
 * Reads the folder, and again whenever a file of it changes: valid -> valid (exchanged at once), valid -> broken (the last
 * valid state serves on, and the log says what is wrong, once for each change). Throws `ConfigError` with every problem where
 * the first state is broken.
 */
export async function openAssistants<T>({
  folder,
  sources,
  build,
  log,
  everyMs = LOOK_EVERY_MS,
}: RegistryOptions<T>): Promise<AssistantRegistry<T>> {
  const read = async (): Promise<T> => {
    const { assistants, problems } = readAssistants(await readFolder(folder), sources);
    if (problems.length > 0) throw new ConfigError(problems.map((problem) => `ASSISTANTS_DIR: ${problem}`));
    log.info({ assistants: assistants.map(({ name, version }) => `${name} ${version}`) }, 'Assistants read');
    return build(assistants);
  };
  // Taken before the files are read: what changes in between is read again.
  let seen = await fingerprint(folder);
  let current = await read();

  async function look(): Promise<void> {
    const now = await fingerprint(folder);
    if (now === seen) return;
    try {
      current = await read();
    } catch (error) {
      // Files that are wrong stay so until one of them changes; anything else may pass.
      if (!(error instanceof ConfigError)) throw error;
      log.error({ err: error }, 'Assistants are not valid; those from before serve on');
    }
    seen = now;
  }

  let underWay: Promise<void> | undefined;
  const onError = (error: unknown) => {
    log.error({ err: error }, 'Assistants could not be read; those from before serve on');
  };
  const refresh = () =>
    (underWay ??= look()
      .catch(onError)
      .finally(() => (underWay = undefined)));
  const looking = periodically({ everyMs, run: refresh, onError });
  looking.start();
  return { current: () => current, refresh, close: () => looking.close() };
}
