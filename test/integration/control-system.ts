import { randomBytes } from 'node:crypto';
import { type ControlCommand, type ControlState, type Instruction } from '../../shared/contracts/control.ts';
import { controlKeys } from '../../shared/rollout/control/control-keys.ts';
import { type AuditEntry, readAudit } from '../../shared/rollout/control/read-audit.ts';
import { readCommitted } from '../../shared/rollout/control/read-status.ts';
import { readState } from '../../shared/rollout/control/read-state.ts';
import { newCommand, sendCommand } from '../../shared/rollout/control/send-command.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { type Kafka, type Producer } from '../../shared/platform/kafka/port.ts';
import { topicNames, topicSpecs } from '../../shared/platform/kafka/topics.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { connectRedis } from '../../shared/platform/redis/connect.ts';
import { until } from '../../stack/until.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { type CliRun, runTurnout } from '../harness/turnout-cli.ts';
import { removeKeys } from '../harness/scan-keys.ts';

const DECIDES_WITHIN = { timeoutMs: 30_000, everyMs: 50 };

/** Metrics and a router with their own topics, and an operator's access to them. */
export interface ControlSystem {
  prefix: string;
  services: RunningServices;
  /** Runs the operator's command line. */
  turnout: (...args: string[]) => Promise<CliRun>;
  /** Sends a message without the command line's checks. */
  sendRaw: (value: string, topic?: 'control' | 'controlState' | 'events') => Promise<void>;
  send: (
    instruction: Instruction,
    options?: Partial<Pick<ControlCommand, 'actor' | 'under'>>,
  ) => Promise<string>;
  audit: () => Promise<AuditEntry[]>;
  /** All records of the state topic, in order. */
  published: () => Promise<ControlState[]>;
  committed: () => Promise<ControlState>;
  /** Waits for this epoch. */
  atEpoch: (epoch: number) => Promise<ControlState>;
  /** The audit entry of the command, once it has been decided. */
  decided: (id: string) => Promise<AuditEntry>;
  stop: () => Promise<void>;
}

interface Servers {
  KAFKA_BROKERS: string;
  REDIS_URL: string;
}

export async function startControlSystem(
  servers: Servers,
  env: Readonly<Record<string, string>> = {},
): Promise<ControlSystem> {
  const prefix = `t-control-${randomBytes(4).toString('hex')}`;
  const brokers = servers.KAFKA_BROKERS.split(',');
  const kafka = createKafka({ brokers, clientId: 'control-test', log: silentLogger });
  const topics = topicNames(prefix);
  await kafka.ensureTopics(topicSpecs(topics, 3));
  const producer = await kafka.producer();
  const redis = connectRedis(servers.REDIS_URL, 'control-test', silentLogger);
  const keys = controlKeys(prefix);
  const services = await startServices({ prefix, env: { ...servers, ...env }, only: ['metrics', 'router'] });
  const committed = () => readCommitted(redis, keys);
  const audit = () => readAudit(kafka, topics.control, 10_000);

  return {
    prefix,
    services,
    turnout: (...args) => runTurnout(prefix, args, { env: { ...servers } }),
    sendRaw: (value, topic = 'control') =>
      producer.send({ topic: topics[topic], key: 'raw', value, headers: {} }),
    send: (instruction, { actor = 'operator', under } = {}) =>
      sent(producer, topics.control, newCommand({ actor, under }, instruction)),
    audit,
    published: () => publishedStates(kafka, topics.controlState),
    committed,
    atEpoch: (epoch) => found(committed, (state) => state.epoch >= epoch, `epoch ${epoch}`),
    decided: async (id) => {
      const entryOf = async () => (await audit()).find((one) => one.command?.id === id);
      const entry = await found(entryOf, (one) => one !== undefined && one.status !== 'undecided', id);
      if (!entry) throw new Error(`Command ${id} did not appear in the audit log in time`);
      return entry;
    },
    stop: async () => {
      await services.stop();
      await producer.close();
      await removeKeys(redis, `${prefix}:*`);
      await redis.quit();
    },
  };
}

async function sent(producer: Producer, topic: string, command: ControlCommand): Promise<string> {
  await sendCommand(producer, topic, command);
  return command.id;
}

async function publishedStates(kafka: Kafka, topic: string): Promise<ControlState[]> {
  const states: ControlState[] = [];
  await kafka.readTopic({
    topic,
    timeoutMs: 10_000,
    onBatch: ({ messages }) => {
      const read = messages.map(({ value }) => readState(value));
      states.push(...read.flatMap((state) => (state instanceof Error ? [] : state)));
      return Promise.resolve();
    },
  });
  return states;
}

async function found<T>(look: () => Promise<T>, isIt: (seen: T) => boolean, what: string): Promise<T> {
  let last: T | undefined;
  const isThere = async () => isIt((last = await look()));
  if (!(await until(isThere, DECIDES_WITHIN)) || last === undefined)
    throw new Error(`${what} was not reached in time; last seen: ${JSON.stringify(last)}`);
  return last;
}

/** The epochs of the records in topic order, without repetitions. */
export function epochsOf(states: readonly ControlState[]): number[] {
  return states.map(({ epoch }) => epoch).filter((epoch, at, all) => at === 0 || epoch !== all[at - 1]);
}
