import { Command, InvalidArgumentError } from 'commander';
import { resolve } from 'node:path';
import { createBlobStore } from '../../shared/platform/blobs/create-blob-store.ts';
import { createStoreIdentity, type StoreIdentity } from '../../shared/platform/blobs/store-identity.ts';
import { createSweepState, stopReasons, type SweepState } from '../../shared/platform/blobs/sweep-state.ts';
import { blobKeys } from '../../shared/platform/redis/keys.ts';
import { type OperatorContext } from '../context.ts';
import { toJsonLine } from '../output.ts';
import { needing, withStores } from '../stores.ts';

const ABOUT = `The blob store: users' files, bodies of large requests, stored responses. The ingress removes what no record in the job
Redis speaks of, unless the two do not fit together: then it logs "Sweep stopped", and removes nothing until you decide.

  status   shows whether they fit together, and why the last sweep stopped.
  adopt    says that this job Redis and this blob store belong together: after an upgrade, a move or a restore.
  allow    lets the sweep remove a large share of folders without a record. Check first that REDIS_URL and REDIS_PREFIX
           are right, and restore the job Redis if it was lost: what is removed does not come back.`;

const HOUR_MS = 3_600_000;
/** The grace period of a removal is a day: a longer permission would outlive what it was given for. */
const MAX_HOURS = 24;

export function blobsCommand(context: OperatorContext): Command {
  const group = new Command('blobs').summary('blobs: status, adopt, allow').description(ABOUT);
  group
    .command('status')
    .description('Whether job Redis and blob store belong together, and why the last sweep stopped.')
    .option('--json', 'one JSON object')
    .action((options: { json?: true }) => showStatus(context, options));
  group
    .command('adopt')
    .description('Gives both one new identity: the next sweep goes on. It still stops at a large share.')
    .action(() => adopt(context));
  group
    .command('allow')
    .description('Lets sweeps plan the removal of a large share of folders without a record, for some hours.')
    .requiredOption('--hours <number>', `for how long, up to ${MAX_HOURS}`, hoursOf)
    .action((options: { hours: number }) => allow(context, options));
  return group;
}

function hoursOf(text: string): number {
  const hours = Number(text);
  if (!Number.isInteger(hours) || hours < 1 || hours > MAX_HOURS)
    throw new InvalidArgumentError(`must be a whole number from 1 to ${MAX_HOURS}`);
  return hours;
}

interface Sides {
  identity: StoreIdentity;
  state: SweepState;
}

async function withSides<T>(
  { settings, root }: OperatorContext,
  work: (sides: Sides) => Promise<T>,
): Promise<T> {
  const given = settings();
  const blobs = await createBlobStore({ ...given, BLOB_DIR: resolve(root, given.BLOB_DIR) });
  const place = given.BLOB_STORE === 'disk' ? `The blob store at ${given.BLOB_DIR}` : 'The blob store';
  try {
    return await withStores(given, ({ redis, places }) => {
      const keys = blobKeys(given.REDIS_PREFIX);
      const state = createSweepState(redis, keys);
      const identity = createStoreIdentity({ redis, keys, blobs });
      return needing(`${places.redis}, ${place}`, work({ identity, state }));
    });
  } finally {
    blobs.close();
  }
}

async function showStatus(context: OperatorContext, { json }: { json?: true }): Promise<void> {
  await withSides(context, async ({ identity, state }) => {
    const [comparison, stopped] = [await identity.compare(), await state.stopped()];
    const allowedUntil = await state.allowedUntil();
    if (json) {
      context.print(toJsonLine({ comparison, stopped: stopped ?? null, allowedUntil }));
      return;
    }
    context.print(
      {
        same: 'Job Redis and blob store belong together.',
        new: 'Neither has an identity yet. The first sweep gives them one.',
        stopped: 'Job Redis and blob store do not belong together.',
      }[comparison.kind],
    );
    const reason = comparison.kind === 'stopped' ? comparison.reason : stopped?.reason;
    if (reason) context.print(`Sweeps are stopped: ${stopReasons[reason]} (${reason}).`);
    if (stopped?.unknown !== undefined)
      context.print(
        `${stopped.unknown} of ${stopped.looked ?? 0} folders of ${stopped.kind ?? ''} have no record.`,
      );
    if (allowedUntil > Date.now())
      context.print(`A large share may be removed until ${new Date(allowedUntil).toISOString()}.`);
  });
}

async function adopt(context: OperatorContext): Promise<void> {
  await withSides(context, async ({ identity, state }) => {
    await identity.adopt(0);
    await state.setStopped(undefined);
  });
  context.print(
    'Adopted: this job Redis and this blob store belong together. Sweeps go on within ten minutes.',
  );
}

async function allow(context: OperatorContext, { hours }: { hours: number }): Promise<void> {
  const until = Date.now() + hours * HOUR_MS;
  await withSides(context, ({ state }) => state.allowUntil(until));
  context.print(
    `Allowed until ${new Date(until).toISOString()}. Folders that are planned now are removed a day later.`,
  );
}
