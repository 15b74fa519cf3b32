import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { topicNames, topicSpecs } from '../../shared/platform/kafka/topics.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { deleteTopics } from '../harness/delete-topics.ts';
import { testEnv } from '../harness/env.ts';
import { jsonLinesOf } from '../harness/turnout-cli.ts';
import { type ControlSystem, startControlSystem } from './control-system.ts';

jest.setTimeout(240_000);

let system: ControlSystem;

beforeAll(async () => {
  const { KAFKA_BROKERS, REDIS_URL } = testEnv();
  const env = { MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: '15' };
  system = await startControlSystem({ KAFKA_BROKERS, REDIS_URL }, env);
});
afterAll(() => system.stop());

/** Deletes topics as an operator might; the next service that starts creates them again. */
async function makeAnew(names: readonly ('control' | 'controlState')[]): Promise<void> {
  const brokers = testEnv().KAFKA_BROKERS.split(',');
  const topics = topicNames(system.prefix);
  await deleteTopics(
    brokers,
    names.map((name) => topics[name]),
  );
  const kafka = createKafka({ brokers, clientId: 'test', log: silentLogger });
  await kafka.ensureTopics(topicSpecs(topics, 3));
}

const set = async (flag: string) => {
  const done = async () => (await system.turnout('flags', 'set', flag)).out;
  expect(await done()).toMatch(/applied by 2 of 2 instances/);
};

async function flags(): Promise<unknown> {
  const [shown] = jsonLinesOf(await system.turnout('flags', 'get', '--json'));
  return shown;
}

test('commands are applied, and flags are kept, after the command and state topics were recreated', async () => {
  await system.atEpoch(1);
  await set('BYPASS_USER=ada');
  await set('LITELLM_PERCENTAGE=30');

  await makeAnew(['control']);
  await set('LITELLM_PERCENTAGE=40');
  expect(await flags()).toMatchObject({ epoch: 4, flags: { LITELLM_PERCENTAGE: '40', BYPASS_USER: 'ada' } });

  await makeAnew(['control', 'controlState']);
  await set('LITELLM_PERCENTAGE=50');
  expect(await flags()).toMatchObject({ epoch: 5, flags: { LITELLM_PERCENTAGE: '50', BYPASS_USER: 'ada' } });
});

test('a leader that starts after the command topic was recreated decides each new command once', async () => {
  await system.services.kill('metrics');
  await makeAnew(['control']);
  const id = await system.send({ type: 'set', flags: { LITELLM_PERCENTAGE: '60' } });
  await system.services.start('metrics');
  expect(await system.decided(id)).toMatchObject({ status: 'applied' });
  const before = await system.committed();
  expect(before).toMatchObject({ flags: { LITELLM_PERCENTAGE: '60', BYPASS_USER: 'ada' } });

  await system.services.kill('metrics');
  await system.services.start('metrics');
  await set('LITELLM_PERCENTAGE=70');
  expect(await system.committed()).toMatchObject({ epoch: before.epoch + 1 });
});
