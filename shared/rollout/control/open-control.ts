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

/** What was commanded, as this process knows it by now. */
export interface Control {
  inForce: () => InForce;
  /** Undefined before anything was commanded. */
  state(): ControlState | undefined;
  /** Called at each new epoch. */
  onChange(listener: (state: ControlState) => void): void;
  close(): Promise<void>;
}

interface OpenControlOptions {
  config: Config;
  kafka: Pick<Kafka, 'followTopic'>;
  /** The job Redis, where the applied epochs are told. */
  redis: Redis;
  service: string;
  registry: Registry;
  log: Logger;
}

/** How often a process says that it lives, and what it has applied. */
const TELL_MS = 2_000;

/**
 * reading -> following -> closed. Resolves at the end of the topic: nobody decides by less than is known. A record with a lower epoch, of
 * another version or without sense is left alone: the process keeps what it has, and goes on with it while nobody leads.
 */
export async function openControl(options: OpenControlOptions): Promise<Control> {
  const { config, kafka, redis, service, registry, log } = options;
  const applied = createAppliedEpochs(redis, controlKeys(config.REDIS_PREFIX).applied);
  const instance = `${service}-${randomBytes(6).toString('hex')}`;
  const listeners: ((state: ControlState) => void)[] = [];
  let state: ControlState | undefined;
  let current = inForce(undefined, config);
  let appliedAt = Date.now();

  const tell = () =>
    applied.tell(instance, { service, epoch: current.epoch, at: appliedAt, seenAt: Date.now() });
  const untold = (error: unknown) =>
    log.warn({ err: error }, 'The applied epoch was not told; it will be again');

  function take({ value, offset }: InboundMessage): void {
    const read = readState(value);
    if (read instanceof Error) {
      log.error({ err: read, offset: offset.toString() }, 'Control record left alone');
      return;
    }
    if (!isNewer(read, state)) return;
    const isChange = read.epoch !== state?.epoch;
    state = read;
    if (!isChange) return;
    current = inForce(state, config);
    appliedAt = Date.now();
    tell().catch(untold);
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
  const telling = periodically({ everyMs: TELL_MS, run: tell, onError: untold });
  telling.start();
  await tell().catch(untold);
  measure(registry, () => ({ epoch: current.epoch, beatAt: state?.beatAt }));
  return {
    inForce: () => current,
    state: () => state,
    onChange: (listener) => void listeners.push(listener),
    close: async () => {
      await telling.close();
      await follower.close();
      await applied.leave(instance).catch(untold);
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
    help: 'Since a leader last said that these flags hold; 0 before there was one.',
    registers,
    collect() {
      const { beatAt } = read();
      this.set(beatAt === undefined ? 0 : Math.max(0, Date.now() - beatAt) / 1_000);
    },
  });
}
