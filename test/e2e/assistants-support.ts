import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testEnv } from '../harness/env.ts';

export interface AssistantFiles {
  /** The environment with which services find the files. */
  env: Record<string, string>;
  put(name: string, fields: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Removes everything. */
  clear(): Promise<void>;
}

/** A folder of assistants, and a key file in which the first of the two users is in the group `staff`. */
export async function createAssistantFiles(): Promise<AssistantFiles> {
  const root = await mkdtemp(join(tmpdir(), 'turnout-assistants-e2e-'));
  const folder = join(root, 'assistants');
  await mkdir(folder);
  const keysFile = join(root, 'keys.json');
  await writeFile(keysFile, JSON.stringify({ keys: [keyOf(1, ['staff']), keyOf(2)] }));
  const fileOf = (name: string) => join(folder, `${name}.yaml`);
  return {
    env: { ASSISTANTS_DIR: folder, API_KEYS_FILE: keysFile },
    put: (name, fields) => writeFile(fileOf(name), `name: ${name}\n${fields}`),
    remove: (name) => rm(fileOf(name)),
    clear: () => rm(root, { recursive: true }),
  };
}

function keyOf(user: 1 | 2, groups?: string[]) {
  const { TURNOUT_API_KEY, TURNOUT_API_KEY_2 } = testEnv();
  const key = user === 1 ? TURNOUT_API_KEY : TURNOUT_API_KEY_2;
  const sha256 = createHash('sha256').update(key).digest('hex');
  return { id: `key_${user}`, user: `user-${user}`, sha256, ...(groups ? { groups } : {}) };
}
