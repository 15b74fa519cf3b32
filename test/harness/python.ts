import { cacheFolder } from '../../stack/layout.ts';
import { ensureVenv, pythonOf } from '../../stack/install/python.ts';

/** A Python interpreter that has OpenAI's official SDK; installed on the first call, hash-pinned like everything else. */
export async function pythonWithOpenAi(): Promise<string> {
  const context = {
    cache: cacheFolder(process.env),
    say: (line: string) => console.error(`[stack] ${line}`),
  };
  return pythonOf(await ensureVenv('openai', ['openai'], context));
}
