import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { until } from '../../stack/until.ts';
import { type Answered, type RolloutSystem, startRollout } from '../harness/rollout.ts';

/** The guide's four kinds of rollback, each on the whole system, while only LiteLLM fails. */
jest.setTimeout(120_000);

let system: RolloutSystem | undefined;

afterEach(async () => {
  await system?.stop();
  system = undefined;
}, 60_000);

async function start(env: Record<string, string>, users?: number): Promise<RolloutSystem> {
  const started = (system = await startRollout(env, users));
  await started.stateThat(({ epoch }) => epoch >= 1);
  return started;
}

const pathsOf = (answered: readonly Answered[]) => Object.groupBy(answered, ({ path }) => path ?? 'none');
const usersOf = (answered: readonly Answered[] = []) => answered.map(({ user }) => user);

const jobIdIn = (line: string) => (JSON.parse(line) as { jobId: string }).jobId;

/** Runs the guide's own commands on a log file as the services wrote it. */
function shell(command: string, file: string): string {
  return execFileSync('sh', ['-c', command, 'sh', file], { encoding: 'utf8' }).trim();
}

describe('automatic rollback', () => {
  test('happens without an operator when only LiteLLM fails, and no user sees an error', async () => {
    const { litellm, askAll, stateThat, onLitellm, log, logFile, turnout } = await start({
      LITELLM_PERCENTAGE: '50',
    });
    const canary = await onLitellm();
    const healthy = await askAll();
    expect(usersOf(pathsOf(healthy)['litellm'])).toEqual(canary);

    litellm.fail(100);
    const failing = await askAll();
    const { rolledBack } = await stateThat((state) => state.rolledBack !== undefined);
    expect(rolledBack).toMatchObject({ actor: 'judge', why: 'errors' });
    // Until the router has applied the rollback, the worker moves its jobs to the legacy system and logs another reason.
    const isApplied = async () => {
      const { out } = await turnout('rollout', 'status');
      return out.includes(`5 of 5 have applied epoch ${String(rolledBack?.epoch)}`);
    };
    expect(await until(isApplied, { timeoutMs: 10_000 })).toBe(true);
    const callsBefore = litellm.calls.length;
    const after = await askAll();

    expect([...healthy, ...failing, ...after].map(({ status }) => status)).toEqual(
      Array.from({ length: healthy.length * 3 }, () => 200),
    );
    expect(usersOf(pathsOf(after)['legacy'])).toHaveLength(after.length);
    expect(litellm.calls).toHaveLength(callsBefore);

    const wasTold = () => Promise.resolve(log().some(({ msg }) => msg === 'High error rate detected'));
    expect(await until(wasTold, { timeoutMs: 10_000 })).toBe(true);
    const verdicts = log().filter(({ msg }) => msg === 'Safety metrics');
    expect(verdicts.map(({ verdict }) => verdict)).toContainEqual({ kind: 'rollback', test: 'errors' });
    const epoch = String(rolledBack?.epoch);
    expect((await turnout('rollout', 'explain', epoch)).out).toMatch(
      /judge: rollback: errors.*\n.*\n\{"tests":/,
    );
    expect(shell('grep "High error rate detected" "$1" | grep -c \'"path":"litellm"\'', logFile)).toBe('1');
    // Every request after the rollback, each once. Some of the requests before it may have been rolled back, too.
    const told = shell('grep "Using legacy path" "$1" | grep \'"reason":"rollback"\'', logFile).split('\n');
    const asked = new Set(after.map(({ jobId }) => jobId));
    expect(told.filter((line) => asked.has(jobIdIn(line)))).toHaveLength(after.length);
    // The rollback stays in force, regardless of the flags.
    await turnout('flags', 'set', 'LITELLM_PERCENTAGE=60');
    expect(await onLitellm()).toEqual([]);
  });

  test('is only reported if ENABLE_ROLLBACK forbids it', async () => {
    const { litellm, askAll, state, log } = await start({
      LITELLM_PERCENTAGE: '50',
      ENABLE_ROLLBACK: 'false',
    });
    litellm.fail(100);
    await askAll();
    const told = () =>
      Promise.resolve(
        log().some(({ msg }) => msg === 'A rollback is due, and ENABLE_ROLLBACK=false forbids it'),
      );
    expect(await until(told, { timeoutMs: 20_000 })).toBe(true);
    expect(await state()).not.toHaveProperty('rolledBack');
  });

  test('does not happen if both backends fail, because then the provider is at fault', async () => {
    const { askAll, stateThat } = await start({ LITELLM_PERCENTAGE: '50', UNREACHABLE_GRACE_MS: '0' });
    const failed = await askAll('Where to? [[sim: fail=500]]');
    expect(new Set(failed.map(({ status }) => status))).toEqual(new Set([502]));
    const { frozen, rolledBack } = await stateThat((state) => state.frozen !== undefined);
    expect(frozen).toMatchObject({ actor: 'judge', why: 'provider_outage' });
    expect(rolledBack).toBeUndefined();
  });
});

describe('emergency rollback', () => {
  test('moves queued jobs as well: after its confirmation no call begins on LiteLLM', async () => {
    const { users, ask, turnout, litellm } = await start({ MIGRATION_PHASE: '3', LLM_CONCURRENCY: '2' }, 24);
    const asked = users.map((user) => ask(user, 'Where to? [[sim: tokens=40; tps=80]]'));
    await until(() => Promise.resolve(litellm.calls.length >= 4), { timeoutMs: 20_000, everyMs: 5 });
    const { code, out } = await turnout('flags', 'set', 'ENABLE_LITELLM=false');
    const confirmed = Date.now();
    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringMatching(/applied by 5 of 5 instances/),
    });
    const answered = await Promise.all(asked);
    expect(answered.map(({ status }) => status)).toEqual(answered.map(() => 200));
    expect(litellm.calls.length).toBeLessThan(users.length);
    expect(litellm.calls.filter(({ at }) => at > confirmed)).toEqual([]);
  });

  test('by the environment of one process applies in that process', async () => {
    const { services, askAll, litellm, logFile } = await start({ MIGRATION_PHASE: '3' }, 10);
    await services.kill('router');
    await services.start('router', 'router', { ENABLE_LITELLM: 'false' });
    const answered = await askAll();
    expect(usersOf(pathsOf(answered)['legacy'])).toHaveLength(10);
    expect(litellm.calls).toEqual([]);
    expect(shell('grep "Using legacy path" "$1" | grep -c \'"reason":"disabled"\'', logFile)).toBe('10');
  });
});

describe('gradual rollback', () => {
  test('50, 20, 0: users that left LiteLLM do not come back, and the others stay', async () => {
    const { askAll, turnout, onLitellm, logFile } = await start({ MIGRATION_PHASE: '3' }, 60);
    let before = await onLitellm();
    expect(before).toHaveLength(60);
    for (const percentage of [50, 20, 0]) {
      expect((await turnout('flags', 'set', `LITELLM_PERCENTAGE=${percentage}`)).code).toBe(0);
      const now = usersOf(pathsOf(await askAll())['litellm']);
      expect(now).toEqual(await onLitellm());
      expect(before).toEqual(expect.arrayContaining(now));
      expect(now.length).toBeLessThan(before.length);
      before = now;
    }
    expect(before).toEqual([]);
    // The guide's arithmetic on the lines as written.
    const jobs = Number(shell('grep -c "Request completed" "$1"', logFile));
    expect(jobs).toBe(180);
    const average = shell(
      'grep "Request completed" "$1" | awk \'{print $NF}\' | awk \'{s+=$1} END {print s/NR}\'',
      logFile,
    );
    expect(Number(average)).toBeGreaterThan(0);
    const [litellm, legacy] = ['LiteLLM', 'legacy'].map((path) =>
      Number(shell(`grep -c "Using ${path} path" "$1"`, logFile)),
    );
    expect((litellm ?? 0) + (legacy ?? 0)).toBe(180);
    expect(
      shell('grep "Feature flag metrics" "$1" | tail -1 | grep -c \'"LITELLM_PERCENTAGE":"0"\'', logFile),
    ).toBe('1');
  });
});

describe('targeted rollback', () => {
  test('of one user leaves all other users where they are', async () => {
    const { users, askAll, turnout } = await start({ MIGRATION_PHASE: '3' }, 10);
    const [one] = users;
    expect((await turnout('user', 'bypass', one?.user ?? '')).code).toBe(0);
    const bypassed = pathsOf(await askAll());
    expect(usersOf(bypassed['legacy'])).toEqual([one?.user]);
    expect((await turnout('rollout', 'rollback')).code).toBe(0);
    expect((await turnout('user', 'force', one?.user ?? '')).code).toBe(0);
    const forced = pathsOf(await askAll());
    expect(usersOf(forced['litellm'])).toEqual([one?.user]);
  });
});
