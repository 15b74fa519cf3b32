import { type Percentiles, round } from '../measure/percentiles.ts';

export interface LambdaFindings {
  bundle: { bytes: number; gzippedBytes: number; largest: Record<string, number> };
  /** From the start of the process to its first request for an invocation. `empty`: with an empty handler. Milliseconds. */
  cold: Record<'turnout' | 'empty', Percentiles>;
  /** From the event to its answer, which is sent when Kafka has acknowledged the job. */
  invocation: Percentiles;
  /** The same event as a bare Kafka message, from send to acknowledgement. */
  bareProduce: Percentiles;
  invocations: number;
  lost: number;
  kafkaConnections: number;
}

/** `.turnout/reports/lambda.json`. */
export interface LambdaReport extends LambdaFindings {
  at: string;
  /** p50 of an invocation minus p50 of a bare message. Milliseconds. */
  addedMs: number;
  /** The broken promises, as text. */
  broken: string[];
}

export function toLambdaReport(findings: LambdaFindings, at: Date): LambdaReport {
  const { lost, kafkaConnections } = findings;
  return {
    at: at.toISOString(),
    ...findings,
    addedMs: round(findings.invocation.p50 - findings.bareProduce.p50),
    broken: [
      ...(lost === 0 ? [] : [`${lost} jobs were lost`]),
      ...(kafkaConnections === 1
        ? []
        : [`${kafkaConnections} connections to Kafka were opened instead of 1`]),
    ],
  };
}

export function lambdaText(report: LambdaReport): string {
  const { bundle, cold, invocation, bareProduce } = report;
  const kilobytes = (bytes: number): string => `${Math.round(bytes / 1024)} KB`;
  const pair = ({ p50, p99 }: Percentiles): string => `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
  return [
    `bundle: ${kilobytes(bundle.bytes)}, ${kilobytes(bundle.gzippedBytes)} zipped`,
    `cold start: p50 ${cold.turnout.p50.toFixed(0)} ms, of which an empty handler takes ${cold.empty.p50.toFixed(0)} ms`,
    `warm invocation, until the job is acknowledged: ${pair(invocation)}`,
    `the same event as a bare message: ${pair(bareProduce)}; added p50 ${report.addedMs.toFixed(1)} ms`,
    `${report.invocations} invocations: ${report.lost} lost, ${report.kafkaConnections} connection to Kafka`,
  ].join('\n');
}
