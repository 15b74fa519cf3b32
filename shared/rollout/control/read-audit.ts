import { type ControlCommand } from '../../contracts/control.ts';
import { type Kafka } from '../../platform/kafka/port.ts';
import { readControl } from './read-control.ts';

/** One command as the audit has it. */
export interface AuditEntry {
  /** Where in the topic it stands. */
  offset: string;
  /** Milliseconds since the epoch, by Kafka's clock. */
  at: number;
  /** Undefined where it could not be read. */
  command: ControlCommand | undefined;
  /** `undecided`: no leader has looked at it. */
  status: 'applied' | 'refused' | 'undecided';
  /** Milliseconds since the epoch, by its leader's clock: when it was decided. */
  decidedAt: number | undefined;
  /** In force after it. */
  epoch: number | undefined;
  note: string | undefined;
}

/** All that was ever commanded, oldest first. */
export async function readAudit(
  kafka: Pick<Kafka, 'readTopic'>,
  topic: string,
  timeoutMs: number,
): Promise<AuditEntry[]> {
  const entries = new Map<string, AuditEntry>();
  await kafka.readTopic({
    topic,
    timeoutMs,
    onBatch: ({ messages }) => {
      for (const { offset, timestamp, value } of messages) {
        const record = readControl(value);
        if ('kind' in record && record.kind === 'result') {
          const { status, epoch, note, at: decidedAt } = record;
          const entry = entries.get(record.offset);
          // A leader that took over may tell again what the one before told.
          if (entry) entries.set(record.offset, { ...entry, status, epoch, note, decidedAt });
          continue;
        }
        const at = offset.toString();
        const isUnreadable = record instanceof Error;
        entries.set(at, {
          offset: at,
          at: timestamp,
          status: 'undecided',
          epoch: undefined,
          decidedAt: undefined,
          command: isUnreadable ? undefined : record,
          note: isUnreadable ? record.message : undefined,
        });
      }
      return Promise.resolve();
    },
  });
  return [...entries.values()];
}
