import { setTimeout as delay } from 'node:timers/promises';
import { type Instruction } from '../../shared/contracts/control.ts';
import { createAppliedEpochs } from '../../shared/rollout/control/applied-epochs.ts';
import { type Confirmation, confirmCommand } from '../../shared/rollout/control/confirm-command.ts';
import { controlKeys } from '../../shared/rollout/control/control-keys.ts';
import { newCommand } from '../../shared/rollout/control/send-command.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { topicNames } from '../../shared/platform/kafka/topics.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';
import { until } from '../../stack/until.ts';
import { type RolloutSystem } from '../../test/harness/rollout.ts';
import { type ROLLBACK_PLAN } from './plan.ts';

/** The figures of one rollback. Milliseconds since the rollback was recorded. */
export interface Round {
  /** Until the last process applied it. */
  appliedMs: number;
  /** Until LiteLLM received its last call; 0 if there was none. */
  lastCallMs: number;
  /** Calls that LiteLLM received more than a second later. */
  lateCalls: number;
}

export interface RollbackFindings {
  rounds: Round[];
  instances: number;
  answered: number;
  /** By status. */
  failed: Record<string, number>;
}

interface MeasureOptions {
  system: RolloutSystem;
  servers: { redisUrl: string; brokers: readonly string[] };
  plan: typeof ROLLBACK_PLAN;
  say: (line: string) => void;
}

type Command = (instruction: Instruction) => Promise<Extract<Confirmation, { status: 'applied' }>>;

/** Rolls back repeatedly under a constant load. */
export async function measureRollbacks({
  system,
  servers,
  plan,
  say,
}: MeasureOptions): Promise<RollbackFindings> {
  const kafka = createKafka({ brokers: [...servers.brokers], clientId: 'bench-rollback', log: silentLogger });
  const producer = await kafka.producer();
  const redis = connectRedis(servers.redisUrl, 'bench-rollback', silentLogger);
  const { prefix } = system.services;
  const applied = createAppliedEpochs(redis, controlKeys(prefix).applied);
  const command: Command = async (instruction) => {
    const deps = { kafka, producer, topic: topicNames(prefix).control, applied };
    const confirmed = await confirmCommand(deps, newCommand({ actor: 'operator' }, instruction));
    if (confirmed.status !== 'applied') throw new Error(`${instruction.type}: ${JSON.stringify(confirmed)}`);
    return confirmed;
  };
  const load = startLoad(system, plan);
  const findings: RollbackFindings = { rounds: [], instances: 0, answered: 0, failed: {} };
  try {
    for (let round = 1; round <= plan.rounds; round += 1) {
      const { rolled, ...figures } = await rollBackOnce(system, command, plan);
      findings.instances = rolled.instances.of;
      findings.rounds.push(figures);
      if (round % 10 === 0) say(`${round} of ${plan.rounds} rollbacks`);
      await command({ type: 'resume' });
    }
  } finally {
    Object.assign(findings, await load.stop());
    await producer.close();
    await closeRedis(redis);
  }
  return findings;
}

async function rollBackOnce(
  { litellm, state }: RolloutSystem,
  command: Command,
  plan: typeof ROLLBACK_PLAN,
): Promise<Round & { rolled: Awaited<ReturnType<Command>> }> {
  const before = litellm.calls.length;
  const flows = () => Promise.resolve(litellm.calls.length >= before + plan.callsBefore);
  if (!(await until(flows, { timeoutMs: 30_000, everyMs: 10 }))) throw new Error('LiteLLM receives no jobs');
  const sentAt = Date.now();
  const rolled = await command({ type: 'rollback', why: 'a measurement' });
  const { at } = await state();
  await delay(plan.watchMs);
  const later = litellm.calls.filter((call) => call.at >= at).map((call) => call.at - at);
  return {
    rolled,
    appliedMs: Math.max(0, rolled.instances.ms - (at - sentAt)),
    lastCallMs: Math.max(0, ...later),
    lateCalls: later.filter((ms) => ms > 1_000).length,
  };
}

/** Each user sends one request after another. */
function startLoad({ users, ask }: RolloutSystem, { question }: typeof ROLLBACK_PLAN) {
  let stopped = false;
  let answered = 0;
  const failed: Record<string, number> = {};
  const play = async (user: RolloutSystem['users'][number]) => {
    while (!stopped) {
      const { status } = await ask(user, question);
      if (status === 200) answered += 1;
      else failed[status] = (failed[status] ?? 0) + 1;
    }
  };
  const playing = Promise.all(users.map(play));
  return {
    stop: async () => {
      stopped = true;
      await playing;
      return { answered, failed };
    },
  };
}
