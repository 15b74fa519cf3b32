import { type ApiKey, type NewKey, newApiKey, stateOf } from '../../shared/policy/access/api-key.ts';
import { type KeyStore } from '../../shared/policy/access/key-store.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { toJsonLine } from '../output.ts';
import { oneLine } from '../terminal-safe.ts';
import { keysOfFile, unknownKey, withKeys } from './known-keys.ts';

export interface CreateOptions {
  user: string;
  groups: string[];
  name: string;
  /** Milliseconds. */
  expiresIn?: number;
  admin?: true;
  json?: true;
}

export interface RotateOptions {
  /** Milliseconds. */
  keepOld: number;
  json?: true;
}

export async function createKey(context: OperatorContext, options: CreateOptions): Promise<void> {
  const { user, groups, name, expiresIn, admin = false, json } = options;
  if (user === '' || user.length > 200) throw new CommandFailed('A user id has 1 to 200 characters.');
  const now = Date.now();
  const owner = {
    user,
    groups,
    name,
    admin,
    ...(expiresIn === undefined ? {} : { expiresAt: now + expiresIn }),
  };
  const { key, record } = await withKeys(context, (keys) => make(keys, owner, now));
  show(context, { key, record, json });
}

/** The new key has the same lifetime that the old one was created with. */
export async function rotateKey(
  context: OperatorContext,
  id: string,
  { keepOld, json }: RotateOptions,
): Promise<void> {
  const now = Date.now();
  const made = await withKeys(context, async (keys) => {
    const old = (await keys.list()).find((key) => key.id === id);
    if (!old) throw unknownKey(id);
    if (stateOf(old, now) !== 'usable')
      throw new CommandFailed(
        `The key ${id} is revoked or expired. Use \`keys create\` to create a new one.`,
      );
    const fresh = await make(keys, renewed(old, now), now);
    const until = Math.min(old.expiresAt ?? Infinity, now + keepOld);
    await keys.change(id, (key) => ({ ...key, expiresAt: until }));
    return { ...fresh, until };
  });
  show(context, { ...made, json });
  context.complain(`${id} expires at ${new Date(made.until).toISOString()}.`);
}

function renewed({ user, groups, admin, name, createdAt, expiresAt }: ApiKey, now: number): NewKey {
  const owner = { user, groups, admin, name };
  return expiresAt === undefined ? owner : { ...owner, expiresAt: now + (expiresAt - createdAt) };
}

export async function revokeKey(context: OperatorContext, id: string): Promise<void> {
  const revokedAt = Date.now();
  const revoke = (key: ApiKey): ApiKey => ({ ...key, revokedAt: key.revokedAt ?? revokedAt });
  const ofFile = keysOfFile(context).find((key) => key.id === id);
  await withKeys(context, async (keys) => {
    // The revocation is bound to this key's hash: the file may later have another key under the same id.
    if (ofFile) await keys.add(revoke({ ...ofFile, id: `${id}-${ofFile.sha256.slice(0, 8)}` }));
    else if (!(await keys.change(id, revoke))) throw unknownKey(id);
  });
  context.print(`${id} is revoked.`);
}

async function make(keys: KeyStore, owner: NewKey, now: number): Promise<{ key: string; record: ApiKey }> {
  const made = newApiKey(owner, now);
  await keys.add(made.record);
  return made;
}

interface Shown {
  key: string;
  record: ApiKey;
  json: true | undefined;
}

function show({ print, complain }: OperatorContext, { key, record, json }: Shown): void {
  const { id, user } = record;
  print(json ? toJsonLine({ id, user, key, expiresAt: record.expiresAt ?? null }) : key);
  if (!json) complain(`${id}, for ${oneLine(user)}. Store the key now: it is not shown again.`);
}
