import { type BlobFolder, type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { type BlobKind, type Removals } from '../../../shared/platform/blobs/removals.ts';
import { type StoreIdentity } from '../../../shared/platform/blobs/store-identity.ts';
import {
  type StopReason,
  type SweepState,
  type SweepStop,
} from '../../../shared/platform/blobs/sweep-state.ts';
import { type FileStanding } from '../../../shared/content/files/file-registry.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { largeShare, type SweptKind } from './swept-kinds.ts';

/**
 * Removes folders of the blob store that are no longer needed. A missing record alone never causes a removal:
 *
 * 1. The job Redis and the blob store must carry the same identity. If neither has one, the records must know the files that exist.
 * 2. A page of each top-level folder is listed. Old folders without a record and without a planned removal are candidates. If candidates
 *    exceed a small share, or one is older than the registry, the whole sweep stops.
 * 3. The removal of the candidates is planned for after a grace period.
 * 4. Folders whose planned time has come are removed, unless their record came back.
 *
 * A sweep that stops changes nothing, logs an error and reports the reason until an operator decides.
 */
export interface BlobSweep {
  /** Undefined: the sweep did not stop. */
  sweep(): Promise<SweepStop | undefined>;
}

export interface BlobSweepDeps {
  blobs: Pick<BlobStore, 'listFolders' | 'removeFolder'>;
  removals: Removals;
  identity: StoreIdentity;
  state: SweepState;
  kinds: readonly SweptKind[];
  log: Logger;
  /** Checked between folders; true ends the sweep early. */
  closing: () => boolean;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** The grace period between planning to remove a folder without a record and removing it. Milliseconds. */
export const GRACE_MS = 86_400_000;
/** The maximum that one sweep lists of each kind, and removes of each bucket. */
const FOLDERS_AT_ONCE = 5_000;
const REMOVED_OF_BUCKET = 200;
const WORKERS = 8;

interface Listed {
  looked: BlobFolder[];
  candidates: BlobFolder[];
  /** Where the next sweep continues. */
  next: string;
}

export function createBlobSweep(deps: BlobSweepDeps): BlobSweep {
  const { blobs, removals, identity, state, kinds, log, closing, now = Date.now } = deps;

  let failures: unknown[] = [];

  async function sweep(): Promise<SweepStop | undefined> {
    failures = [];
    const before = await state.stopped();
    const stop = await sweepUnlessStopped();
    if (stop) log.error({ ...stop }, 'Sweep stopped: the blob store and the job Redis do not match');
    if (stop ?? before) await state.setStopped(stop);
    if (failures.length > 0) throw failures[0];
    return stop;
  }

  async function sweepUnlessStopped(): Promise<SweepStop | undefined> {
    const since = await knownSince();
    if (typeof since !== 'number') return since;
    const listed = new Map<SweptKind, Listed>();
    for (const kind of kinds) listed.set(kind, await list(kind));
    for (const [kind, found] of listed) {
      const stop = await judge(kind, found, since);
      if (stop) return stop;
    }
    await identity.raiseRound();
    for (const [kind, found] of listed) {
      await plan(kind, found);
      await removeDue(kind);
    }
    return undefined;
  }

  /** The time since which the registry knows every new folder, in milliseconds since the epoch. */
  async function knownSince(): Promise<number | SweepStop> {
    const comparison = await identity.compare();
    if (comparison.kind === 'same') return comparison.since;
    if (comparison.kind === 'stopped') return stopOf(comparison.reason);
    const since = await firstUse();
    if (since === undefined) return stopOf('registry_unproven');
    await identity.adopt(since);
    return since;
  }

  /** An empty store matches any registry. A store with files matches only the registry that knows them. */
  async function firstUse(): Promise<number | undefined> {
    let empty = true;
    for (const kind of kinds) {
      const { looked } = await list(kind, '');
      if (looked.length === 0) continue;
      empty = false;
      if (!kind.provesRegistry) continue;
      const unknown = await unknownAmong(kind, looked);
      return largeShare(looked.length, unknown.length, 0) ? undefined : 0;
    }
    return empty ? now() : undefined;
  }

  async function list(kind: SweptKind, from?: string): Promise<Listed> {
    const after = from ?? (await state.cursor(kind.name));
    const page = after === '' ? {} : { after };
    const looked = await blobs.listFolders(kind.name, { ...page, limit: FOLDERS_AT_ONCE });
    const next = looked.length < FOLDERS_AT_ONCE ? '' : (looked.at(-1)?.name ?? '');
    // Ignores folders whose names Turnout does not create.
    const ours = looked.filter(({ name }) => kind.id.safeParse(name).success);
    const old = ours.filter(({ changedAt }) => changedAt <= now() - kind.spareMs);
    return { looked: ours, candidates: from === undefined ? await unknownAmong(kind, old) : [], next };
  }

  async function unknownAmong(kind: SweptKind, folders: readonly BlobFolder[]): Promise<BlobFolder[]> {
    const unknown: BlobFolder[] = [];
    for (let first = 0; first < folders.length && !closing(); first += 200) {
      const some = folders.slice(first, first + 200);
      const ids = some.map(({ name }) => name);
      const planned = await removals.planned(kind.name, ids);
      const standings = await Promise.all(
        ids.map((id, at): Promise<FileStanding> =>
          planned[at] ? Promise.resolve('ending') : standingOf(kind, id),
        ),
      );
      unknown.push(...some.filter((_, at) => standings[at] === 'gone'));
    }
    return unknown;
  }

  /** If a record cannot be read, its folder stays. */
  function standingOf(kind: SweptKind, id: string): Promise<FileStanding> {
    return kind.standing(id).catch((error: unknown) => {
      failures.push(error);
      return 'ending';
    });
  }

  async function judge(
    kind: SweptKind,
    { looked, candidates }: Listed,
    since: number,
  ): Promise<SweepStop | undefined> {
    const about = { kind: kind.name, looked: looked.length, unknown: candidates.length };
    if (candidates.some(({ changedAt }) => changedAt < since)) return stopOf('registry_younger', about);
    if (!largeShare(looked.length, candidates.length)) return undefined;
    return (await state.allowedUntil()) > now() ? undefined : stopOf('large_share', about);
  }

  async function plan(kind: SweptKind, { candidates, next }: Listed): Promise<void> {
    if (closing()) return;
    for (const { name } of candidates) await removals.plan(kind.name, name, now() + GRACE_MS - kind.delayMs);
    if (candidates.length > 0)
      log.warn(
        { kind: kind.name, folders: candidates.length },
        'Planned the removal of folders without a record',
      );
    await state.moveTo(kind.name, next);
  }

  /** A failed removal does not prevent the others. */
  async function removeDue(kind: SweptKind): Promise<void> {
    for await (const ids of removals.due(kind.name, now() - kind.delayMs, REMOVED_OF_BUCKET)) {
      const waiting = [...ids];
      const work = async () => {
        for (let id = waiting.pop(); id !== undefined && !closing(); id = waiting.pop())
          await removeOne(kind, id).catch((error: unknown) => failures.push(error));
      };
      await Promise.all(Array.from({ length: WORKERS }, work));
    }
  }

  async function removeOne(kind: SweptKind, id: string): Promise<void> {
    const standing = await kind.standing(id);
    if (standing === 'ending') return removals.plan(kind.name, id, now() + kind.againMs - kind.delayMs);
    if (standing === 'gone') await blobs.removeFolder(`${kind.name}/${id}`);
    await removals.forget(kind.name, id);
  }

  function stopOf(reason: StopReason, about: Partial<SweepStop> & { kind?: BlobKind } = {}): SweepStop {
    return { reason, at: now(), ...about };
  }

  return { sweep };
}
