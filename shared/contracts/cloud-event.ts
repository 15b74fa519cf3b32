import { randomBytes } from 'node:crypto';

/** CloudEvents 1.0 attributes in Kafka headers (binary mode, Kafka binding section 3.2) and W3C `traceparent`. */
export interface EventHeaders {
  id: string;
  type: string;
  source: string;
  traceparent?: string | undefined;
}

export function toHeaders({ id, type, source, traceparent }: EventHeaders): Record<string, string> {
  return {
    ce_specversion: '1.0',
    ce_id: id,
    ce_type: type,
    ce_source: source,
    ce_time: new Date().toISOString(),
    'content-type': 'application/json',
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Continues the caller's W3C trace with a new span; starts a new trace when `incoming` is missing or invalid. */
export function childTraceparent(incoming: string | undefined): string {
  const valid = incoming !== undefined && TRACEPARENT.test(incoming);
  const trace = valid ? incoming.slice(3, 35) : randomBytes(16).toString('hex');
  const flags = valid ? incoming.slice(-2) : '01';
  return `00-${trace}-${randomBytes(8).toString('hex')}-${flags}`;
}
