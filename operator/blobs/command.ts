import { Command, InvalidArgumentError } from 'commander';
import { resolve } from 'node:path';
import { createBlobStore } from '../../shared/platform/blobs/create-blob-store.ts';
import { createStoreIdentity, type StoreIdentity } from '../../shared/platform/blobs/store-identity.ts';
import { createSweepState, stopReasons, type SweepState } from '../../shared/platform/blobs/sweep-state.ts';
import { blobKeys } from '../../shared/platform/redis/keys.ts';
import { type OperatorContext } from '../context.ts';
import { toJsonLine } from '../output.ts';
import { needing, withStores } from '../stores.ts';

const ABOUT = `The blob store holds users' files, bodies of large requests and stored responses. A sweep in the ingress removes blobs that have no \
record in the job Redis. If the blob store and the job Redis do not seem to belong together, the ingress logs "Sweep stopped" and removes \
nothing until an operator decides.

After an upgrade, a move or a restore, \`adopt\` confirms that the two belong together. What \`allow\` lets the sweep remove cannot be \
recovered: first check that REDIS_URL and REDIS_PREFIX are right. If the job Redis was lost, restore it instead.`;

const HOUR_MS = 3_600_000;
/** The grace period before a removal is one day. A longer permission would also cover folders that the operator has not seen. */
const MAX_HOURS = 24;

export function blobsCommand(context: OperatorContext): Command {
  const group = new Command('blobs').summary('blobs: status, adopt, allow').description(ABOUT);
  group
    .command('status')
    .description(
      'Shows whether the job Redis and the blob store belong together, and why the last sweep stopped.',
    )
    .option('--json', 'print one JSON object')
    .action((options: { json?: true }) => showStatus(context, options));
  group
    .command('adopt')
    .description(
      'Gives the job Redis and the blob store a new common identity. Sweeps continue, but still stop at a large share.',
    )
    .action(() => adopt(context));
  group
    .command('allow')
    .description(
      'Lets sweeps plan the removal of a large share of folders without a record, for a limited time.',
    )
    .requiredOption('--hours <number>', `how long the permission lasts, 1 to ${MAX_HOURS}`, hoursOf)
    .action((options: { hours: number }) => allow(context, options));
  return group;
}

function hoursOf(text: string): number {
  const hours = Number(text);
  if (!Number.isInteger(hours) || hours < 1 || hours > MAX_HOURS)
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_HOURS}.`);
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
  const store = given.BLOB_STORE === 'disk' ? `The blob store at ${given.BLOB_DIR}` : 'The blob store';
  try {
    return await withStores(given, ({ redis, addresses }) => {
      const keys = blobKeys(given.REDIS_PREFIX);
      const state = createSweepState(redis, keys);
      const identity = createStoreIdentity({ redis, keys, blobs });
      return needing(`${addresses.redis}, ${store}`, work({ identity, state }));
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
        same: 'The job Redis and the blob store belong together.',
        new: 'The job Redis and the blob store have no identity yet. The first sweep gives them one.',
        stopped: 'The job Redis and the blob store do not belong together.',
      }[comparison.kind],
    );
    const reason = comparison.kind === 'stopped' ? comparison.reason : stopped?.reason;
    if (reason) context.print(`Sweeps are stopped: ${stopReasons[reason]} (${reason}).`);
    if (stopped?.unknown !== undefined)
      context.print(
        `${stopped.unknown} of ${stopped.looked ?? 0} folders of ${stopped.kind ?? ''} have no record.`,
      );
    if (allowedUntil > Date.now())
      context.print(`Sweeps may remove a large share until ${new Date(allowedUntil).toISOString()}.`);
  });
}

async function adopt(context: OperatorContext): Promise<void> {
  await withSides(context, async ({ identity, state }) => {
    await identity.adopt(0);
    await state.setStopped(undefined);
  });
  context.print(
    'Adopted: this job Redis and this blob store belong together. Sweeps continue within ten minutes.',
  );
}

async function allow(context: OperatorContext, { hours }: { hours: number }): Promise<void> {
  const until = Date.now() + hours * HOUR_MS;
  await withSides(context, ({ state }) => state.allowUntil(until));
  context.print(
    `Allowed until ${new Date(until).toISOString()}. Sweeps remove a folder one day after they have planned its removal.`,
  );
}
