import { type TopicSpec } from './port.ts';

/** A topic as the broker describes it. */
export interface FoundTopic {
  partitions: number;
  /** Replicas of the partition with the fewest. */
  replicas: number;
  config: Readonly<Record<string, string>>;
}

export interface SettingDifference {
  topic: string;
  setting: string;
  found: string;
  needed: string;
}

/** EXACT settings must be equal to the needed value. AT_LEAST settings may be larger; -1 means unlimited. */
const EXACT: ReadonlySet<string> = new Set(['cleanup.policy', 'message.timestamp.type']);
const AT_LEAST: ReadonlySet<string> = new Set(['retention.ms', 'retention.bytes', 'max.message.bytes']);

/** Lists where an existing topic falls short of what Turnout needs: partitions, replicas or settings. Exceeding the need is fine. */
export function differencesOf({ topic, ...needed }: TopicSpec, found: FoundTopic): SettingDifference[] {
  const counts = [
    { setting: 'partitions', found: found.partitions, needed: needed.partitions },
    { setting: 'replicas', found: found.replicas, needed: needed.replication ?? 1 },
  ].filter((count) => count.found < count.needed);
  const settings = Object.entries(needed.config ?? {}).flatMap(([setting, value]) => {
    const actual = found.config[setting];
    return actual === undefined || suffices(setting, actual, value)
      ? []
      : [{ setting, found: actual, needed: value }];
  });
  return [...counts, ...settings].map((one) => ({
    topic,
    setting: one.setting,
    found: String(one.found),
    needed: String(one.needed),
  }));
}

function suffices(setting: string, actual: string, needed: string): boolean {
  if (EXACT.has(setting)) return actual === needed;
  if (!AT_LEAST.has(setting) || actual === needed || actual === '-1') return true;
  return needed !== '-1' && Number(actual) >= Number(needed);
}
