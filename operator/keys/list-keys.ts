import { type ApiKey, stateOf } from '../../shared/policy/access/api-key.ts';
import { type OperatorContext } from '../context.ts';
import { inColumns, toJsonLine } from '../output.ts';
import { oneLine } from '../terminal-safe.ts';
import { keysOfFile, withKeys } from './known-keys.ts';

const HEADINGS = ['ID', 'STATE', 'USER', 'GROUPS', 'ADMIN', 'KEY', 'CREATED', 'EXPIRES', 'LAST USED', 'NAME'];

export async function listKeys(
  context: OperatorContext,
  { user, json }: { user?: string; json?: true },
): Promise<void> {
  const { print, complain } = context;
  const { stored, lastUses } = await withKeys(context, async (keys) => ({
    stored: await keys.list(),
    lastUses: await keys.lastUses(),
  }));
  const marked = new Set(stored.map(({ sha256 }) => sha256));
  const ofFile = keysOfFile(context).filter(({ sha256 }) => !marked.has(sha256));
  const all = [...ofFile, ...stored].filter((key) => user === undefined || key.user === user);
  const now = Date.now();
  const rows = all.map((key) => shown(key, lastUses.get(key.id), now));
  if (json) for (const row of rows) print(toJsonLine(row));
  else if (rows.length > 0) print(inColumns([HEADINGS, ...rows.map(toCells)]).join('\n'));
  if (rows.length === 0) (json ? complain : print)('There are no keys.');
}

type Row = ReturnType<typeof shown>;

/** Lists the fields by name, so that a field that is added later is not shown by accident. */
function shown(
  { id, user, groups, admin, prefix, createdAt, expiresAt, name, ...key }: ApiKey,
  usedAt: number | undefined,
  now: number,
) {
  const state = stateOf({ expiresAt, revokedAt: key.revokedAt }, now);
  return {
    id,
    state,
    user,
    groups,
    admin,
    prefix,
    createdAt,
    expiresAt: expiresAt ?? null,
    lastUsedAt: usedAt ?? null,
    name,
  };
}

function toCells(row: Row): string[] {
  const { id, state, user, groups, admin, prefix } = row;
  const who = [id, state, oneLine(user), oneLine(groups.join(',')) || '-', admin ? 'yes' : '-'];
  const times = [row.createdAt, row.expiresAt, row.lastUsedAt].map(iso);
  return [...who, prefix === '' ? '(file)' : `${prefix}…`, ...times, oneLine(row.name)];
}

/** 0: a key of the file, whose creation time is unknown. */
function iso(at: number | null): string {
  return at === null || at === 0 ? '-' : new Date(at).toISOString();
}
