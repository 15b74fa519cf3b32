import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { testEnv } from '../harness/env.ts';
import { groupsLike } from '../harness/list-groups.ts';
import { dumpRedis, type Message, readFolder, readMessages, type StoredKey, type Text } from './recording.ts';
import { type Facts, play, type Scenario } from './scenario.ts';

/** All that a scenario has left behind. */
export interface Recorded {
  /** When it was recorded; milliseconds since the epoch. */
  facts: Facts & { at: number; groups: string[] };
  jobs: Message[];
  'dead-letters': Message[];
  events: Message[];
  control: Message[];
  'control-state': Message[];
  'job-redis': StoredKey[];
  'cache-redis': StoredKey[];
  blobs: Record<string, Text>;
  /** Lines with the phrases of the rollout guide. */
  logs: Record<string, unknown>[];
}

/** The address of the user's web server in a recording. */
export const RECEIVER = 'http://receiver.invalid/hook';

export async function capture(scenario: Scenario): Promise<Recorded> {
  const { prefix } = scenario;
  const { KAFKA_BROKERS: brokers, REDIS_URL, CACHE_REDIS_URL } = testEnv();
  const { facts, logs, blobs, services, receiverUrl } = await play(scenario);
  try {
    const recorded: Recorded = {
      facts: { ...facts, at: Date.now(), groups: await groupsLike(brokers, `${prefix}-`) },
      jobs: await readMessages(brokers, `${prefix}.jobs`),
      'dead-letters': await readMessages(brokers, `${prefix}.jobs.dlq`),
      events: await readMessages(brokers, `${prefix}.events`),
      control: await readMessages(brokers, `${prefix}.control`),
      'control-state': lastOfEpochs(await readMessages(brokers, `${prefix}.control.state`)),
      'job-redis': await dumpRedis(REDIS_URL, prefix),
      'cache-redis': await dumpRedis(CACHE_REDIS_URL, prefix),
      blobs: readFolder(blobs),
      logs: kindsOf(readFileSync(join(logs, 'turnout.log'), 'utf8')),
    };
    return JSON.parse(JSON.stringify(recorded).replaceAll(receiverUrl, RECEIVER)) as Recorded;
  } finally {
    await services.stop();
  }
}

/** The phrases of the rollout guide: operators search the logs for them. */
const PHRASES =
  /^(Feature flag metrics|Using LiteLLM path|Using legacy path|LITELLM REQUEST COMPLETED|Cache HIT|Cache MISS|Cache stats|Cache cleanup|Request completed in \d+|High error rate detected|Safety metrics|LiteLLM Error|No \w+ key available)$/;

/** The first line of each phrase and set of fields. */
function kindsOf(log: string): Record<string, unknown>[] {
  const kinds = new Map<string, Record<string, unknown>>();
  for (const text of log.split('\n').filter((line) => line.startsWith('{'))) {
    const line = JSON.parse(text) as Record<string, unknown>;
    delete line['err']; // its stack has the paths of a machine
    const kind = `${String(line['msg']).replace(/\d+/, '')} ${Object.keys(line).join()}`;
    if (PHRASES.test(String(line['msg'])) && !kinds.has(kind)) kinds.set(kind, line);
  }
  return [...kinds.values()];
}

/** The last state of each epoch. The leader writes the state again all the time. */
function lastOfEpochs(states: readonly Message[]): Message[] {
  const epochOf = ({ value }: Message) => (value as { json: { epoch: number } }).json.epoch;
  return [...new Map(states.map((state) => [epochOf(state), state])).values()];
}
