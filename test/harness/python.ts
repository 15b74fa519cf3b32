import { cacheFolder } from '../../stack/layout.ts';
import { ensureVenv, pythonOf } from '../../stack/install/python.ts';

/** A Python interpreter with OpenAI's official SDK. The first call installs it, hash-pinned like all dependencies. */
export async function pythonWithOpenAi(): Promise<string> {
  const context = {
    cache: cacheFolder(process.env),
    say: (line: string) => console.error(`[stack] ${line}`),
  };
  return pythonOf(await ensureVenv('openai', ['openai'], context));
}
