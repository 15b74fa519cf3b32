import { type AuditEntry, readAudit } from '../../shared/rollout/control/read-audit.ts';
import { needing, type Stores } from '../stores.ts';

/** How long Kafka may send nothing, in milliseconds. A group takes some seconds to form on a broker that is not ours. */
const TIMEOUT_MS = 15_000;

export function auditOf({ kafka, topics, places }: Stores): Promise<AuditEntry[]> {
  return needing(places.kafka, readAudit(kafka, topics.control, TIMEOUT_MS));
}
