import { afterEach, expect, jest, test } from '@jest/globals';
import { newJobId } from '../../shared/platform/ids.ts';
import { type ControlState } from '../../shared/contracts/control.ts';
import { type Outcome } from '../../shared/contracts/outcome.ts';
import { shareInForce } from '../../shared/rollout/control/apply-command.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { jsonLinesOf } from '../harness/turnout-cli.ts';
import { type ControlSystem, startControlSystem } from './control-system.ts';

jest.setTimeout(120_000);

let system: ControlSystem | undefined;
afterEach(async () => {
  await system?.stop();
  system = undefined;
}, 60_000);

async function start(): Promise<ControlSystem> {
  const { KAFKA_BROKERS, REDIS_URL } = testEnv();
  const env = { MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: '0', LEGACY_BASE_URL: 'http://127.0.0.1:9/v1' };
  system = await startControlSystem({ KAFKA_BROKERS, REDIS_URL }, env);
  await system.atEpoch(1);
  return system;
}

const USERS = 100;
/** Jobs of each user: enough in either arm at every percentage in these tests. */
const JOBS = 12;

/** The outcomes of one step's jobs. The first users are the canary, as many as the step's percentage requires. */
function outcomesOf({ step, epoch, ...state }: ControlState, isFailed: (user: number) => boolean): Outcome[] {
  const canary = (shareInForce(state) / 100) * USERS;
  return Array.from({ length: USERS * JOBS }, (_, at): Outcome => {
    const [jobId, user] = [newJobId('', ''), at % USERS];
    const failed = user < canary && isFailed(user);
    return {
      version: 1,
      id: `${jobId}.end`,
      jobId,
      model: 'm',
      userHash: (user + 1).toString(16).padStart(16, '0'),
      decision: {
        path: user < canary ? 'litellm' : 'legacy',
        reason: 'percentage',
        epoch,
        step: step.epoch,
      },
      status: 'completed',
      ...(failed
        ? { pathFailure: { error: 'upstream_failed' as const, fallback: 'answered' as const } }
        : {}),
      attempts: 1,
      at: Date.now(),
      ms: { total: 30, firstToken: 20 },
      usage: [],
    };
  });
}

async function report(
  { sendRaw, committed }: ControlSystem,
  isFailed: (user: number) => boolean = () => false,
): Promise<void> {
  const outcomes = outcomesOf(await committed(), isFailed);
  await Promise.all(outcomes.map((outcome) => sendRaw(JSON.stringify(outcome), 'events')));
}

/** Waits for a verdict on the flags in force. */
async function verdictThat({ turnout }: ControlSystem, is: (verdict: unknown) => boolean): Promise<void> {
  let last: unknown;
  const came = async () => {
    const [status] = jsonLinesOf(await turnout('rollout', 'status', '--json'));
    const { epoch, safety } = status as { epoch: number; safety?: { epoch: number; verdict: unknown } };
    last = safety?.verdict;
    return safety?.epoch === epoch && is(last);
  };
  if (!(await until(came, { timeoutMs: 30_000 }))) throw new Error(`last: ${JSON.stringify(last)}`);
}

/** The state at an epoch that the plan is expected to reach. On failure, the error includes the judge's view. */
async function advanced({ atEpoch, turnout }: ControlSystem, epoch: number): Promise<ControlState> {
  try {
    return await atEpoch(epoch);
  } catch (error) {
    throw new Error((await turnout('rollout', 'status', '--json')).out, { cause: error });
  }
}

const fewJobs = (verdict: unknown) =>
  JSON.stringify(verdict) === JSON.stringify({ kind: 'unsure', why: 'few_jobs' });

test('a plan holds a step until it is safe, advances, and ends at its last one', async () => {
  const rollout = await start();
  const started = await rollout.turnout('rollout', 'start', '--steps', '40,70,100', '--dwell', '1s');
  expect(started.code).toBe(0);
  const first = await rollout.committed();
  expect(shareInForce(first)).toBe(40);

  // Longer than the dwell time, so only the lack of data holds the step.
  await until(() => Promise.resolve(Date.now() > first.step.at + 2_500), { timeoutMs: 10_000 });
  await verdictThat(rollout, fewJobs);
  expect((await rollout.committed()).epoch).toBe(first.epoch);

  for (const share of [70, 100]) {
    // Read before the report, because the plan may advance as soon as enough of it has been counted.
    const { epoch } = await rollout.committed();
    await report(rollout);
    expect(shareInForce(await advanced(rollout, epoch + 1))).toBe(share);
  }
  expect(await rollout.committed()).not.toHaveProperty('plan');
  const audit = (await rollout.audit()).map(({ command, status }) => [
    command?.actor,
    command?.instruction.type,
    status,
  ]);
  expect(audit).toEqual([
    ['env', 'set', 'applied'],
    ['operator', 'start', 'applied'],
    ['plan', 'advance', 'applied'],
    ['plan', 'advance', 'applied'],
  ]);
  const replayed = await rollout.turnout('rollout', 'replay');
  expect(replayed).toMatchObject({
    code: 0,
    out: expect.stringContaining('4 epochs and 2 decisions agree with the record.'),
  });
});

test('a plan ends with the rollback of a bad step, and a replay makes the same decision', async () => {
  const rollout = await start();
  await rollout.turnout('rollout', 'start', '--steps', '50,100', '--dwell', '1h');
  await report(rollout, (user) => user % 5 > 0);
  const rolledBack = await rollout.atEpoch(3);
  expect(rolledBack).toMatchObject({ rolledBack: { actor: 'judge', why: 'errors' } });
  expect(rolledBack).not.toHaveProperty('plan');

  const [decision, ...others] = jsonLinesOf(await rollout.turnout('rollout', 'replay', '--json'));
  expect(others).toEqual([]);
  expect(decision).toMatchObject({
    epoch: 3,
    agrees: true,
    verdict: { kind: 'rollback', test: 'errors' },
  });
});

test('a replay finds a decision that the jobs do not support', async () => {
  const rollout = await start();
  await rollout.turnout('flags', 'set', 'LITELLM_PERCENTAGE=50');
  await report(rollout);
  await verdictThat(rollout, (verdict) => JSON.stringify(verdict) === JSON.stringify({ kind: 'safe' }));
  await rollout.decided(await rollout.send({ type: 'rollback', why: 'a whim' }, { actor: 'judge' }));
  const replayed = await rollout.turnout('rollout', 'replay');
  expect(replayed.code).toBe(1);
  expect(replayed.out).toContain('replayed: safe (DIFFERENT)');
  expect(replayed.err).toBe('1 of 1 decisions and 0 states differ from the record.\n');
});
