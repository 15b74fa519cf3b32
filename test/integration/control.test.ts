import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { createAppliedEpochs } from '../../shared/rollout/control/applied-epochs.ts';
import { controlKeys } from '../../shared/rollout/control/control-keys.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { connectRedis } from '../../shared/platform/redis/connect.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { isReady } from '../harness/services.ts';
import { startSystem } from '../harness/system.ts';
import { jsonLinesOf } from '../harness/turnout-cli.ts';
import { type ControlSystem, epochsOf, startControlSystem } from './control-system.ts';

/** Services are started and killed here; on two busy cores each start takes seconds. */
jest.setTimeout(120_000);

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function start(env: Record<string, string> = {}, servers = testEnv()): Promise<ControlSystem> {
  const { KAFKA_BROKERS, REDIS_URL } = servers;
  const system = await startControlSystem({ KAFKA_BROKERS, REDIS_URL }, env);
  cleanUps.push(() => system.stop());
  return system;
}

const GUIDE = { MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: '15' };

describe('an operator’s command', () => {
  test('is confirmed by all processes, audited, and shown', async () => {
    const system = await start(GUIDE);
    await system.atEpoch(1);
    const set = await system.turnout('flags', 'set', 'LITELLM_PERCENTAGE=30', 'BYPASS_USER=ada,bob');
    expect(set).toMatchObject({ code: 0, err: '' });
    expect(set.out).toMatch(/^Epoch 2: applied by 2 of 2 instances in \d+ ms\.\n$/);

    const [flags] = jsonLinesOf(await system.turnout('flags', 'get', '--json'));
    expect(flags).toMatchObject({
      epoch: 2,
      flags: { LITELLM_PERCENTAGE: '30', BYPASS_USER: 'ada,bob', MIGRATION_PHASE: '2' },
    });
    const audit = jsonLinesOf(await system.turnout('audit', '--json'));
    expect(audit).toMatchObject([
      { status: 'applied', epoch: 1, command: { actor: 'env' } },
      { status: 'applied', epoch: 2, command: { actor: 'operator', instruction: { type: 'set' } } },
    ]);
    expect((await system.turnout('rollout', 'explain', '2')).out).toContain('set LITELLM_PERCENTAGE=30');
    expect((await system.turnout('rollout', 'status')).out).toContain(
      'Instances: 2 of 2 have applied epoch 2',
    );
    const figures = await (await fetch(`${system.services.urlOf('metrics')}/metrics`)).text();
    expect(figures).toContain('turnout_rollout_share_percent{service="metrics"} 30\n');
    expect(figures).toContain('turnout_rollout_rolled_back{service="metrics"} 0\n');
    expect(figures).toContain('turnout_control_epoch{service="metrics"} 2\n');
  });

  test('is refused with a reason if it is invalid, and nothing changes', async () => {
    const system = await start(GUIDE);
    const before = await system.atEpoch(1);
    const refused = await system.turnout('flags', 'set', 'LITELLM_PERCENTAGE=101');
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toMatch(/^Refused: LITELLM_PERCENTAGE: "101" is not valid/);
    expect((await system.turnout('rollout', 'resume')).err).toBe(
      'Refused: the rollout is neither rolled back nor frozen.\n',
    );
    expect((await system.turnout('flags', 'set', 'LITELM_PERCENTAGE=5')).code).toBe(2);
    expect(await system.turnout('user', 'bypass', 'ada,bob')).toMatchObject({
      code: 1,
      err: 'Invalid command: user must be a user id, without commas.\n',
    });
    expect(await system.committed()).toMatchObject({ epoch: 1, flags: before.flags });
  });

  test('works over HTTP with the admin key as well', async () => {
    const system = await start(GUIDE);
    await system.atEpoch(1);
    const ask = (
      path: string,
      { key = testEnv().TURNOUT_ADMIN_KEY, ...init }: RequestInit & { key?: string } = {},
    ) =>
      fetch(`${system.services.urlOf('metrics')}/admin/${path}`, {
        ...init,
        headers: { authorization: `Bearer ${key}` },
      });
    const post = (body: object) => ask('control', { method: 'POST', body: JSON.stringify(body) });
    const done = await post({ type: 'rollback', why: 'the operator is afraid' });
    expect(done.status).toBe(200);
    expect(await done.json()).toMatchObject({
      status: 'applied',
      epoch: 2,
      instances: { applied: 2, of: 2 },
    });
    const again = await post({ type: 'rollback', why: 'twice' });
    expect(again.status).toBe(409);
    expect(await again.json()).toMatchObject({ error: { code: 'command_refused' } });
    expect((await post({ type: 'sing' })).status).toBe(400);
    expect((await ask('rollout', { key: 'none' })).status).toBe(401);
    expect(await (await ask('rollout')).json()).toMatchObject({ epoch: 2, percentage: 0 });
    expect(await (await ask('audit')).json()).toMatchObject({ commands: [{}, {}, { status: 'refused' }] });
  });
});

describe('invalid messages', () => {
  test('on the control topic are refused and recorded, and nothing changes', async () => {
    const system = await start(GUIDE);
    const before = await system.atEpoch(1);
    const command = { version: 1, kind: 'command', id: '0'.repeat(32), at: 1, actor: 'operator' };
    const set = (flags: object, more: object = {}) =>
      JSON.stringify({ ...command, instruction: { type: 'set', flags }, ...more });
    const wrong: [string, RegExp][] = [
      ['no JSON', /not a JSON object/],
      ['', /not a JSON object/],
      ['[1]', /not a JSON object/],
      [set({ LITELLM_PERCENTAGE: '50' }, { version: 2 }), /has version 2, but only version 1 is supported/],
      [set({ LITELLM_PERCENTAGE: '101' }), /LITELLM_PERCENTAGE: "101" is not valid/],
      [set({ LITELLM_PERCENTAGE: 50 }), /expected string/],
      [set({ NO_SUCH_FLAG: 'true' }), /"NO_SUCH_FLAG" is not a flag/],
      [set({ LITELLM_PERCENTAGE: '50' }, { under: 0 }), /decided in epoch 0, but epoch 1 is in force/],
      [set({ LITELLM_PERCENTAGE: '50' }, { actor: 'nobody' }), /actor/],
      [set({ LITELLM_PERCENTAGE: '50' }, { id: 'x' }), /32 hex digits/],
      [JSON.stringify({ ...command, instruction: { type: 'sing' } }), /instruction/],
    ];
    for (const [value] of wrong) await system.sendRaw(value);
    await system.decided(await system.send({ type: 'stop' })); // refused as well, after the others

    const audit = await system.audit();
    expect(audit.slice(1, -1).map(({ status }) => status)).toEqual(wrong.map(() => 'refused'));
    for (const [at, [, why]] of wrong.entries()) expect(audit[at + 1]?.note).toMatch(why);
    expect(await system.committed()).toMatchObject({ epoch: 1, flags: before.flags });
    expect(epochsOf(await system.published())).toEqual([0, 1]);
  });

  test('on the state topic are ignored by every process', async () => {
    const system = await start(GUIDE);
    const state = await system.atEpoch(1);
    const ahead = { ...state, epoch: 9, flags: { LITELLM_PERCENTAGE: '99' } };
    await system.sendRaw('no JSON', 'controlState');
    await system.sendRaw(JSON.stringify({ ...ahead, version: 2 }), 'controlState');
    await system.sendRaw(JSON.stringify({ ...ahead, flags: { LITELLM_PERCENTAGE: '101' } }), 'controlState');
    await system.sendRaw(JSON.stringify({ ...ahead, epoch: 0 }), 'controlState');
    const { out } = await system.turnout('flags', 'set', 'LITELLM_PERCENTAGE=16');
    expect(out).toMatch(/^Epoch 2: applied by 2 of 2/);
    expect(await isReady(system.services.urlOf('router'))).toBe(true);
  });
});

describe('a rollback', () => {
  test('survives a restart of all services with the old environment', async () => {
    const system = await start({ MIGRATION_PHASE: '3' });
    const { services } = system;
    await system.atEpoch(1);
    expect((await system.turnout('rollout', 'rollback')).code).toBe(0);
    await services.kill('metrics');
    await services.kill('router');
    await services.start('metrics');
    await services.start('router');
    expect((await system.turnout('rollout', 'status')).out).toMatch(
      /LiteLLM: 0% of users.*\nRolled back by operator/,
    );
    // It also survives a new environment, whose flags apply only as far as the rollback permits.
    await services.kill('metrics');
    await services.start('metrics', 'metrics', { MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: '60' });
    const state = await system.atEpoch(3);
    expect(state).toMatchObject({ flags: { LITELLM_PERCENTAGE: '60' }, rolledBack: { epoch: 2 } });
    expect((await system.turnout('rollout', 'resume', '--percentage', '5')).code).toBe(0);
    expect(await system.committed()).not.toHaveProperty('rolledBack');
    expect((await system.turnout('rollout', 'status')).out).toContain('LiteLLM: 5% of users');
  });
});

/** The leading instance. */
async function leaderOf(system: ControlSystem): Promise<'metrics' | 'metrics-2'> {
  const redis = connectRedis(testEnv().REDIS_URL, 'leader-test', silentLogger);
  try {
    await until(async () => (await redis.get(controlKeys(system.prefix).lease)) !== null, {
      timeoutMs: 10_000,
    });
    const last = async (instance: string) => {
      const log = await readFile(`${system.services.logs}/${instance}.log`, 'utf8');
      const terms = [...log.matchAll(/"term":(\d+),[^\n]*"msg":"Leading the rollout"/g)];
      return Math.max(-1, ...terms.map(([, term]) => Number(term)));
    };
    return (await last('metrics')) > (await last('metrics-2')) ? 'metrics' : 'metrics-2';
  } finally {
    await redis.quit();
  }
}

describe('a leader', () => {
  test('that is killed is replaced, and each command has exactly one epoch', async () => {
    const system = await start(GUIDE);
    await system.services.start('metrics', 'metrics-2');
    await system.atEpoch(1);
    const leader = await leaderOf(system);
    const before = await system.send({ type: 'force', user: 'ada' });
    await system.services.kill(leader);
    const after = await system.send({ type: 'rollback', why: 'a test' });
    expect(await system.decided(before)).toMatchObject({ status: 'applied', epoch: 2 });
    expect(await system.decided(after)).toMatchObject({ status: 'applied', epoch: 3 });
    expect(epochsOf(await system.published())).toEqual([0, 1, 2, 3]);
    expect(await system.committed()).toMatchObject({ rolledBack: { epoch: 3 } });
  });

  test('that was frozen publishes nothing when it resumes', async () => {
    const system = await start(GUIDE);
    await system.services.start('metrics', 'metrics-2');
    await system.atEpoch(1);
    const leader = await leaderOf(system);
    process.kill(system.services.pidOf(leader), 'SIGSTOP');
    try {
      // The frozen leader has received the command too, in its socket, and sees it when it resumes.
      expect(await system.decided(await system.send({ type: 'rollback', why: 'a test' }))).toMatchObject({
        status: 'applied',
        epoch: 2,
      });
    } finally {
      process.kill(system.services.pidOf(leader), 'SIGCONT');
    }
    expect(await system.decided(await system.send({ type: 'resume' }))).toMatchObject({ epoch: 3 });
    const redis = connectRedis(testEnv().REDIS_URL, 'applied-test', silentLogger);
    const reports = createAppliedEpochs(redis, controlKeys(system.prefix).applied);
    const allApplied = async () => {
      const all = await reports.read(Date.now());
      return all.length === 3 && all.every(({ epoch }) => epoch === 3);
    };
    expect(await until(allApplied, { timeoutMs: 30_000 })).toBe(true);
    await redis.quit();
    expect(epochsOf(await system.published())).toEqual([0, 1, 2, 3]);
    const audit = await system.audit();
    expect(audit.map(({ status, epoch }) => [status, epoch])).toEqual(
      [1, 2, 3].map((epoch) => ['applied', epoch]),
    );
  });

  test('continues after Kafka was killed and restarted: one decision, one epoch', async () => {
    const own = await startSystem({ parts: ['kafka'] });
    cleanUps.push(() => own.stop());
    const system = await start(GUIDE, { ...testEnv(), KAFKA_BROKERS: own.env['KAFKA_BROKERS'] ?? '' });
    await system.atEpoch(1);
    await own.kill('kafka');
    await own.start('kafka');
    const back = async () => (await system.turnout('rollout', 'rollback')).code === 0;
    expect(await until(back, { timeoutMs: 60_000, everyMs: 500 })).toBe(true);
    const state = await system.committed();
    expect(state).toMatchObject({ rolledBack: { epoch: 2 } });
    expect(epochsOf(await system.published())).toEqual([0, 1, 2]);
  });
});
