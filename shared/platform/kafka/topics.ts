import { type TopicSpec } from './port.ts';

export interface Topics {
  jobs: string;
  deadLetters: string;
  events: string;
  /** What operators, the environment and the judge command, and what became of it. */
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

/** A dead letter is larger than its message, by its headers; twice the broker's default takes any of them. */
const DEAD_LETTER_BYTES = 2 * 1024 * 1024;
/** How long a dead letter can be looked at and sent again, in milliseconds. */
export const DEAD_LETTER_LIFETIME_MS = 30 * DAY_MS;

/** `replication`: copies of each partition; undefined: the broker's default. */
export function topicSpecs(topics: Topics, jobPartitions: number, replication?: number): TopicSpec[] {
  const specs: TopicSpec[] = [
    {
      topic: topics.jobs,
      partitions: jobPartitions,
      config: {
        'retention.ms': String(7 * DAY_MS),
        // The router's replay window is measured in it: the broker's clock, not that of whichever ingress.
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
    // One partition each: commands have an order. The audit is kept for ever.
    { topic: topics.control, partitions: 1, config: { 'retention.ms': '-1', 'retention.bytes': '-1' } },
    {
      topic: topics.controlState,
      partitions: 1,
      // Its leader repeats the record all the time: with large segments a reader that starts had days of them to read.
      config: {
        'cleanup.policy': 'compact',
        'segment.ms': String(DAY_MS / 144),
        'min.cleanable.dirty.ratio': '0.1',
      },
    },
  ];
  return specs.map((spec) => ({ ...spec, replication }));
}
