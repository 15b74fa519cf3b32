import { metricsKey } from '../../shared/contracts/section-names.ts';
import { usageSectionsOf, type UsageSection } from '../../shared/policy/usage/ledger-sections.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { readOutcomes } from '../read-outcomes.ts';
import { needing, withStores } from '../stores.ts';
import { oneLine } from '../terminal-safe.ts';

/**
 * The bills made again from `turnout.events`, each event once, and compared with the books. It writes nothing: what was counted since it read,
 * and what Kafka has forgotten, would be gone from the books. So while jobs end, a difference may only be one of time: run again, it is gone.
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
        await needing(stores.places.redis, stores.redis.hgetall(key)),
      );
      if (differences.length === 0) continue;
      differing += 1;
      print(`${oneLine(section.name)}: ${differences.join(', ')}`);
    }
    print(`${seen.length} events, ${sections.length} accounts and periods, ${differing} of which differ.`);
    if (differing > 0) throw new CommandFailed('The books and the events do not agree.');
  });
}

function differencesOf({ counts }: UsageSection, booked: Readonly<Record<string, string>>): string[] {
  const fields = new Set([...counts.keys(), ...Object.keys(booked)].filter((field) => field !== 'last'));
  return [...fields].flatMap((field) => {
    const [ours, theirs] = [counts.get(field) ?? 0, Number(booked[field] ?? 0)];
    return ours === theirs ? [] : [`${field} ${theirs} in the books, ${ours} by the events`];
  });
}
