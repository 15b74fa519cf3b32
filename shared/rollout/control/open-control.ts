import { randomBytes } from 'node:crypto';
import { Gauge, type Registry } from 'prom-client';
import { type Config } from '../../platform/config/schema.ts';
import { type ControlState } from '../../contracts/control.ts';
import { type InboundMessage, type Kafka } from '../../platform/kafka/port.ts';
import { topicNames } from '../../platform/kafka/topics.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { periodically } from '../../platform/util/periodically.ts';
import { createAppliedEpochs } from './applied-epochs.ts';
import { controlKeys } from './control-keys.ts';
import { type InForce, inForce } from './in-force.ts';
import { isNewer, readState } from './read-state.ts';

/** The control state as this process currently knows it. */
export interface Control {
  inForce: () => InForce;
  /** Undefined before the first command. */
  state(): ControlState | undefined;
  /** Called at each new epoch. */
  onChange(listener: (state: ControlState) => void): void;
  close(): Promise<void>;
}

interface OpenControlOptions {
  config: Config;
  kafka: Pick<Kafka, 'followTopic'>;
  /** The job Redis, which holds the reports of applied epochs. */
  redis: Redis;
  service: string;
  registry: Registry;
  log: Logger;
}

/** Interval at which a process reports that it is alive, and the epoch that it has applied. */
const REPORT_MS = 2_000;

/**
 * reading -> following -> closed. Resolves when the topic has been read to its end, so that no decision is made with outdated flags.
 * Records with a lower epoch, of another version or with invalid content are ignored. With no leader, the last state stays in force.
 */
export async function openControl(options: OpenControlOptions): Promise<Control> {
  const { config, kafka, redis, service, registry, log } = options;
  const applied = createAppliedEpochs(redis, controlKeys(config.REDIS_PREFIX).applied);
  const instance = `${service}-${randomBytes(6).toString('hex')}`;
  const listeners: ((state: ControlState) => void)[] = [];
  let state: ControlState | undefined;
  let current = inForce(undefined, config);
  let appliedAt = Date.now();

  const reportApplied = () =>
    applied.record(instance, { service, epoch: current.epoch, at: appliedAt, seenAt: Date.now() });
  const onReportFailed = (error: unknown) =>
    log.warn({ err: error }, 'The applied epoch could not be reported; retrying in 2 s');

  function take({ value, offset }: InboundMessage): void {
    const read = readState(value);
    if (read instanceof Error) {
      log.error({ err: read, offset: offset.toString() }, 'Control record ignored');
      return;
    }
    if (!isNewer(read, state)) return;
    const isChange = read.epoch !== state?.epoch;
    state = read;
    if (!isChange) return;
    current = inForce(state, config);
    appliedAt = Date.now();
    reportApplied().catch(onReportFailed);
    log.info({ epoch: read.epoch, ms: Math.max(0, appliedAt - read.at) }, 'Control state applied');
    for (const listener of listeners) listener(read);
  }

  const follower = await kafka.followTopic({
    topic: topicNames(config.TOPIC_PREFIX).controlState,
    onMessage: (message) => {
      take(message);
      return Promise.resolve();
    },
  });
  await follower.caughtUp;
  const reporting = periodically({ everyMs: REPORT_MS, run: reportApplied, onError: onReportFailed });
  reporting.start();
  await reportApplied().catch(onReportFailed);
  measure(registry, () => ({ epoch: current.epoch, beatAt: state?.beatAt }));
  return {
    inForce: () => current,
    state: () => state,
    onChange: (listener) => void listeners.push(listener),
    close: async () => {
      await reporting.close();
      await follower.close();
      await applied.leave(instance).catch(onReportFailed);
    },
  };
}

function measure(registry: Registry, read: () => { epoch: number; beatAt: number | undefined }): void {
  const registers = [registry];
  new Gauge({
    name: 'turnout_control_epoch',
    help: 'The epoch of the flags in force in this process.',
    registers,
    collect() {
      this.set(read().epoch);
    },
  });
  new Gauge({
    name: 'turnout_control_silence_seconds',
    help: 'Time since a leader last confirmed the flags in force; 0 before the first leader.',
    registers,
    collect() {
      const { beatAt } = read();
      this.set(beatAt === undefined ? 0 : Math.max(0, Date.now() - beatAt) / 1_000);
    },
  });
}
