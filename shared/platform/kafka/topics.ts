import { type TopicSpec } from './port.ts';

export interface Topics {
  jobs: string;
  deadLetters: string;
  events: string;
  /** Commands of operators, the environment, the judge and the plan, with their results. */
  control: string;
  /** The flags in force. */
  controlState: string;
}

export function topicNames(prefix: string): Topics {
  return {
    jobs: `${prefix}.jobs`,
    deadLetters: `${prefix}.jobs.dlq`,
    events: `${prefix}.events`,
    control: `${prefix}.control`,
    controlState: `${prefix}.control.state`,
  };
}

const DAY_MS = 86_400_000;

/** A dead letter is larger than its message because of its headers. Twice the broker's default fits all of them. */
const DEAD_LETTER_BYTES = 2 * 1024 * 1024;
/** How long a dead letter can be inspected and replayed, in milliseconds. */
export const DEAD_LETTER_LIFETIME_MS = 30 * DAY_MS;

/** `replication`: replication factor; undefined: the broker's default. */
export function topicSpecs(topics: Topics, jobPartitions: number, replication?: number): TopicSpec[] {
  const specs: TopicSpec[] = [
    {
      topic: topics.jobs,
      partitions: jobPartitions,
      config: {
        'retention.ms': String(7 * DAY_MS),
        // The router measures its replay window with message timestamps. They must come from the broker's clock, not the ingresses'.
        'message.timestamp.type': 'LogAppendTime',
      },
    },
    {
      topic: topics.deadLetters,
      partitions: 1,
      config: {
        'retention.ms': String(DEAD_LETTER_LIFETIME_MS),
        'max.message.bytes': String(DEAD_LETTER_BYTES),
      },
    },
    { topic: topics.events, partitions: jobPartitions, config: { 'retention.ms': String(30 * DAY_MS) } },
    // One partition each, because the order of commands matters. The audit trail never expires.
    { topic: topics.control, partitions: 1, config: { 'retention.ms': '-1', 'retention.bytes': '-1' } },
    {
      topic: topics.controlState,
      partitions: 1,
      // The leader rewrites the record all the time. With large segments, a starting reader would have to read days of records.
      config: {
        'cleanup.policy': 'compact',
        'segment.ms': String(DAY_MS / 144),
        'min.cleanable.dirty.ratio': '0.1',
      },
    },
  ];
  return specs.map((spec) => ({ ...spec, replication }));
}
