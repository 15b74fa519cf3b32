import { type JobView } from '../../shared/jobs/joblog/job-log.ts';
import { type OperatorContext } from '../context.ts';
import { inColumns, toJsonLine } from '../output.ts';
import { needing, type Stores, withStores } from '../stores.ts';
import { oneLine } from '../terminal-safe.ts';
import { readRecord } from './read-record.ts';

interface ListedJob {
  id: string;
  state: string;
  model: string;
  userHash: string;
  /** ISO 8601. */
  accepted: string;
  deadline: string;
}

const HEADINGS = ['ID', 'STATE', 'MODEL', 'USER', 'ACCEPTED', 'DEADLINE'];

export async function listJobs(
  { settings, print, complain }: OperatorContext,
  { limit, json }: { limit: number; json?: true },
): Promise<void> {
  const { jobs, open } = await withStores(settings(), (stores) =>
    needing(stores.addresses.redis, collect(stores, limit)),
  );
  if (json) for (const job of jobs) print(toJsonLine(job));
  else if (jobs.length > 0) print(inColumns([HEADINGS, ...jobs.map(toRow)]).join('\n'));
  if (open === 0) (json ? complain : print)('There are no open jobs.');
  else if (open > jobs.length)
    complain(`Shown: ${jobs.length} of ${open} open jobs. Use --limit to see more.`);
}

async function collect({ redis, keys, jobLog }: Stores, limit: number) {
  const buckets = await Promise.all(
    keys.openSets().map(async (set) => ({
      open: await redis.zcard(set),
      first: inPairs(await redis.zrange(set, '0', String(limit - 1), 'WITHSCORES')),
    })),
  );
  const first = buckets.flatMap((bucket) => bucket.first).sort((a, b) => a.deadline - b.deadline);
  const read = first.slice(0, limit).map(async ({ id }) => toListed(id, await readRecord(jobLog, id)));
  const jobs = (await Promise.all(read)).filter((job) => job !== undefined);
  return { jobs, open: buckets.reduce((sum, bucket) => sum + bucket.open, 0) };
}

/** Redis replies with member, score, member, score. */
function inPairs(reply: readonly string[]): { id: string; deadline: number }[] {
  return reply.flatMap((id, at) => (at % 2 === 0 ? [{ id, deadline: Number(reply[at + 1]) }] : []));
}

function toListed(id: string, view: JobView | undefined): ListedJob | undefined {
  if (!view) return undefined; // its record expired after the open set was read
  const { state, model, userHash, createdAt, deadlineAt } = view;
  return { id, state, model, userHash, accepted: iso(createdAt), deadline: iso(deadlineAt) };
}

function toRow({ id, state, model, userHash, accepted, deadline }: ListedJob): string[] {
  return [id, state, oneLine(model), userHash, accepted, deadline];
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
