import { type TopicSpec } from './port.ts';

/** What the broker says of a topic. */
export interface FoundTopic {
  partitions: number;
  /** Of the partition that has the fewest. */
  replicas: number;
  config: Readonly<Record<string, string>>;
}

export interface SettingDifference {
  topic: string;
  setting: string;
  found: string;
  needed: string;
}

/** Settings that must be as they are needed; those of time and size may be larger, and -1 is without end. */
const EXACT: ReadonlySet<string> = new Set(['cleanup.policy', 'message.timestamp.type']);
const AT_LEAST: ReadonlySet<string> = new Set(['retention.ms', 'retention.bytes', 'max.message.bytes']);

/** Where an existing topic has less than Turnout needs: partitions, copies or settings. More than needed is no difference. */
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
