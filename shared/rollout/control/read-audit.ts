import { type ControlCommand } from '../../contracts/control.ts';
import { type Kafka } from '../../platform/kafka/port.ts';
import { readControl } from './read-control.ts';

/** One command in the audit trail. */
export interface AuditEntry {
  /** Its offset in the topic. */
  offset: string;
  /** Milliseconds since the epoch, by Kafka's clock. */
  at: number;
  /** Undefined if the record could not be parsed. */
  command: ControlCommand | undefined;
  /** `undecided`: no leader has processed it. */
  status: 'applied' | 'refused' | 'undecided';
  /** When the leader decided, by its clock; milliseconds since the epoch. */
  decidedAt: number | undefined;
  /** The epoch in force after the command. */
  epoch: number | undefined;
  note: string | undefined;
}

/** Reads all commands ever sent, oldest first. */
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
          // A new leader may repeat results of its predecessor.
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
