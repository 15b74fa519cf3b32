import { metricsKey } from '../../shared/contracts/section-names.ts';
import { usageSectionsOf, type UsageSection } from '../../shared/policy/usage/ledger-sections.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { readOutcomes } from '../read-outcomes.ts';
import { needing, withStores } from '../stores.ts';
import { oneLine } from '../terminal-safe.ts';

/**
 * Counts the usage again from `turnout.events`, each event once, and compares it with the stored usage. It writes nothing: otherwise the
 * stored usage would lose events counted since the read, and events that Kafka no longer has. While jobs end, a difference may only
 * mean that the two were read at different times: it is gone in the next run.
 */
export async function rebuildUsage({ settings, print }: OperatorContext): Promise<void> {
  const known = settings();
  await withStores(known, async (stores) => {
    const seen = await readOutcomes(stores);
    const sections = usageSectionsOf(seen.map(({ outcome }) => outcome));
    let differing = 0;
    for (const section of sections) {
      const key = metricsKey(known.REDIS_PREFIX, section.name);
      const differences = differencesOf(
        section,
        await needing(stores.addresses.redis, stores.redis.hgetall(key)),
      );
      if (differences.length === 0) continue;
      differing += 1;
      print(`${oneLine(section.name)}: ${differences.join(', ')}`);
    }
    print(`${seen.length} events, ${sections.length} accounts and periods, ${differing} of which differ.`);
    if (differing > 0)
      throw new CommandFailed(
        'The stored usage differs from the events. If jobs ended meanwhile, or Kafka no longer has all events, run it again before you act.',
      );
  });
}

function differencesOf({ counts }: UsageSection, booked: Readonly<Record<string, string>>): string[] {
  const fields = new Set([...counts.keys(), ...Object.keys(booked)].filter((field) => field !== 'last'));
  return [...fields].flatMap((field) => {
    const [ours, theirs] = [counts.get(field) ?? 0, Number(booked[field] ?? 0)];
    return ours === theirs ? [] : [`${field}: ${theirs} stored, ${ours} counted from events`];
  });
}
