import { type AuditEntry, readAudit } from '../../shared/rollout/control/read-audit.ts';
import { needing, type Stores } from '../stores.ts';

/** Gives up when Kafka sends nothing for this long, in milliseconds. On some brokers a consumer group takes seconds to form. */
const TIMEOUT_MS = 15_000;

export function auditOf({ kafka, topics, addresses }: Stores): Promise<AuditEntry[]> {
  return needing(addresses.kafka, readAudit(kafka, topics.control, TIMEOUT_MS));
}
