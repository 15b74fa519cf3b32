import { type JobView } from '../../shared/jobs/joblog/job-log.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { toJsonLine } from '../output.ts';
import { needing, withStores } from '../stores.ts';
import { oneLine } from '../terminal-safe.ts';
import { type Happening, timeline } from './timeline.ts';

/** Throws `CommandFailed` if the job has no record. */
export async function showJob(
  { settings, print }: OperatorContext,
  id: string,
  options: { json?: true },
): Promise<void> {
  await withStores(settings(), async ({ jobLog, addresses }) => {
    const view = await needing(addresses.redis, jobLog.read(id, 0));
    if (!view) throw new CommandFailed(unknownJob(id));
    const happened = timeline(view.entries.map(({ event }) => event));
    print(options.json ? toJsonLine({ id, ...factsOf(view), happened }) : render(id, view, happened));
  });
}

export function unknownJob(id: string): string {
  return `Job ${oneLine(id)} not found: it never existed, or its record has expired.`;
}

function factsOf({ state, model, userHash, createdAt, deadlineAt }: JobView) {
  const accepted = new Date(createdAt).toISOString();
  return { state, model, userHash, accepted, deadline: new Date(deadlineAt).toISOString() };
}

function render(id: string, view: JobView, happened: readonly Happening[]): string {
  const facts = Object.entries({ id, ...factsOf(view) });
  return [
    ...facts.map(([name, value]) => `${name.padEnd(10)} ${oneLine(value)}`),
    ...happened.map(({ at, what }) => `${(at ?? '').padEnd(26)}${oneLine(what)}`),
  ].join('\n');
}
