import { type TopicSpec } from './port.ts';

export interface Topics {
  jobs: string;
  deadLetters: string;
  events: string;
}

export function topicNames(prefix: string): Topics {
  return { jobs: `${prefix}.jobs`, deadLetters: `${prefix}.jobs.dlq`, events: `${prefix}.events` };
}

const DAY_MS = 86_400_000;

export function topicSpecs(topics: Topics, jobPartitions: number): TopicSpec[] {
  return [
    { topic: topics.jobs, partitions: jobPartitions, config: { 'retention.ms': String(7 * DAY_MS) } },
    { topic: topics.deadLetters, partitions: 1, config: { 'retention.ms': String(30 * DAY_MS) } },
    { topic: topics.events, partitions: jobPartitions, config: { 'retention.ms': String(30 * DAY_MS) } },
  ];
}
