import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from '../lock.ts';

const OTHERS_TIMEOUT_MS = 15 * 60_000;
const DONE = '.complete';

/**
 * Fills a folder once, even if several processes that share a cache call it at the same time. After an interrupted attempt the folder
 * is filled again. `fill` always starts with an empty folder.
 */
export async function once(folder: string, fill: () => Promise<void>): Promise<void> {
  const done = join(folder, DONE);
  if (existsSync(done)) return;
  const busy = `Another installation has held ${folder}.lock for 15 minutes. If no installation is running, remove that file.`;
  await withLock(`${folder}.lock`, { timeoutMs: OTHERS_TIMEOUT_MS, busy }, async () => {
    if (existsSync(done)) return;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    await fill();
    writeFileSync(done, '');
  });
}
