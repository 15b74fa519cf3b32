import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from './layout.ts';
import type { ProcessSpec } from './process.ts';
import { run } from './install/run.ts';

export interface KafkaProcessOptions {
  readonly java: string;
  /** The folder with Kafka's jars. */
  readonly jars: string;
  readonly port: number;
  readonly controllerPort: number;
  /** The port that the broker advertises to clients, if a proxy is in front of it. Default: its own port. */
  readonly advertisedPort?: number | undefined;
  /** Identifies the data: a broker refuses the data of another cluster. */
  readonly clusterId: string;
}

/**
 * One Kafka node in KRaft mode, broker and controller in one process, on 127.0.0.1 only.
 * Its data survives a restart; a new data folder is formatted first (about 2 s).
 */
export async function prepareKafka(options: KafkaProcessOptions, layout: Layout): Promise<ProcessSpec> {
  const data = join(layout.data, 'kafka');
  const config = join(layout.data, 'kafka.properties');
  mkdirSync(data, { recursive: true });
  writeFileSync(config, propertiesOf(kafkaSettings({ ...options, data })));
  if (!existsSync(join(data, 'meta.properties'))) await format(options, config);
  const log = join(layout.logs, 'kafka.log');
  return {
    name: 'kafka',
    command: options.java,
    args: [...JVM_OPTIONS, ...classPath(options), 'kafka.Kafka', config],
    env: {},
    configFiles: [config],
    workingFolder: data,
    port: options.port,
    extraPorts: { 'kafka-controller': options.controllerPort },
    health: { kind: 'kafka', port: options.port },
    stdout: log,
    stderr: log,
    explainedBy: [log],
    startTimeoutMs: 60_000,
    stopTimeoutMs: 20_000,
  };
}

const JVM_OPTIONS = [
  '-Xms128m',
  '-Xmx512m',
  '-XX:+UseSerialGC', // On a small machine, G1's helper threads cost more than they save.
  '-XX:TieredStopAtLevel=1', // The broker is ready after 4 s of CPU time instead of 10: the optimising compiler pays off only after minutes of load.
  '-Djava.awt.headless=true',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS',
  '-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn',
];

const classPath = ({ jars }: KafkaProcessOptions): string[] => ['-cp', join(jars, '*')];

async function format(options: KafkaProcessOptions, config: string): Promise<void> {
  const quiet = ['-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
  const tool = ['kafka.tools.StorageTool', 'format', `--cluster-id=${options.clusterId}`, '--config', config];
  await run(options.java, [...quiet, ...classPath(options), ...tool]);
}

type KafkaSettings = Readonly<Record<string, string | number | boolean>>;

function kafkaSettings(options: {
  port: number;
  controllerPort: number;
  advertisedPort?: number | undefined;
  data: string;
}): KafkaSettings {
  const [client, controller] = [`127.0.0.1:${options.port}`, `127.0.0.1:${options.controllerPort}`];
  return {
    ...brokerSettings,
    'controller.quorum.voters': `1@${controller}`,
    listeners: `PLAINTEXT://${client},CONTROLLER://${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${options.advertisedPort ?? options.port}`,
    'log.dirs': options.data,
  };
}

/** The settings of a single broker that differ from Kafka's defaults, which are meant for clusters of three or more brokers. */
export const brokerSettings: KafkaSettings = {
  'process.roles': 'broker,controller',
  'node.id': 1,
  'controller.listener.names': 'CONTROLLER',
  'auto.create.topics.enable': false,
  'group.initial.rebalance.delay.ms': 0,
  'group.min.session.timeout.ms': 1000,
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 4,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 4,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
  'num.network.threads': 2,
  'num.io.threads': 4,
  'background.threads': 4,
  'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
  'log.retention.hours': 168,
};

function propertiesOf(settings: KafkaSettings): string {
  const lines = Object.entries(settings).map(
    ([key, value]) => `${key}=${String(value).replaceAll('\\', '\\\\')}`,
  );
  return `${lines.join('\n')}\n`;
}
