import { outcome, type Outcome } from '../../shared/contracts/outcome.ts';
import { type InboundMessage } from '../../shared/kafka/port.ts';
import { metricsKey } from '../../shared/rollout/section-names.ts';
import { usageSectionsOf, type UsageSection } from '../../shared/usage/ledger-sections.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { oneLine } from '../terminal-safe.ts';
import { needing, type Stores, withStores } from '../stores.ts';

export interface RebuildOptions {
  write?: true;
}

/** How long Kafka may send nothing, in milliseconds. */
const PATIENCE_MS = 15_000;

/**
 * The bills made again from `turnout.events`, each event once. While jobs end, the books are ahead of what was read, or behind it: so two
 * readings that differ are told, and nothing is guessed.
 */
export async function rebuildUsage(
  { settings, print }: OperatorContext,
  { write }: RebuildOptions,
): Promise<void> {
  const known = settings();
  await withStores(known, async (stores) => {
    const outcomes = await readOutcomes(stores);
    const sections = usageSectionsOf(outcomes);
    const differing: string[] = [];
    for (const section of sections) {
      const key = metricsKey(known.REDIS_PREFIX, section.name);
      const booked = await needing(stores.places.redis, stores.redis.hgetall(key));
      const differences = differencesOf(section, booked);
      if (differences.length === 0) continue;
      differing.push(section.name);
      print(`${oneLine(section.name)}: ${differences.join(', ')}`);
      if (write) await needing(stores.places.redis, overwrite(stores, key, section));
    }
    print(
      `${outcomes.length} events, ${sections.length} accounts and periods, ${differing.length} of which differ.`,
    );
    if (differing.length === 0) return;
    if (write) print('They were written as the events have them.');
    else throw new CommandFailed('The books and the events do not agree.');
  });
}

async function readOutcomes({ kafka, topics, places }: Stores): Promise<Outcome[]> {
  const all = new Map<string, Outcome>();
  const take = ({ value }: InboundMessage) => {
    // What cannot be read was never counted either: it is a dead letter.
    const read = outcome.safeParse(parseJson(value));
    if (read.success) all.set(read.data.id, read.data);
  };
  const reading = kafka.readTopic({
    topic: topics.events,
    patienceMs: PATIENCE_MS,
    onBatch: ({ messages }) => {
      for (const message of messages) take(message);
      return Promise.resolve();
    },
  });
  await needing(places.kafka, reading);
  return [...all.values()];
}

function differencesOf({ counts }: UsageSection, booked: Readonly<Record<string, string>>): string[] {
  const fields = new Set([...counts.keys(), ...Object.keys(booked)].filter((field) => field !== 'last'));
  return [...fields].flatMap((field) => {
    const [ours, theirs] = [counts.get(field) ?? 0, Number(booked[field] ?? 0)];
    return ours === theirs ? [] : [`${field} ${theirs} in the books, ${ours} by the events`];
  });
}

async function overwrite({ redis }: Stores, key: string, { counts, keptMs }: UsageSection): Promise<void> {
  await redis.multi().del(key).hset(key, Object.fromEntries(counts)).pexpire(key, keptMs).exec();
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
