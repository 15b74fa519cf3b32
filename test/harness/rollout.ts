import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCommitted } from '../../shared/rollout/control/read-status.ts';
import { type ControlState } from '../../shared/contracts/control.ts';
import { controlKeys } from '../../shared/rollout/control/control-keys.ts';
import { decide } from '../../shared/contracts/flags/decide.ts';
import { inForce } from '../../shared/rollout/control/in-force.ts';
import { readFlags } from '../../shared/platform/config/flags.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { connectRedis } from '../../shared/platform/redis/connect.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from './env.ts';
import { type LitellmSwitch, startLitellmSwitch } from './litellm-switch.ts';
import { type RunningServices, startServices } from './services.ts';
import { type CliRun, runTurnout } from './turnout-cli.ts';
import { type TestUser, writeUsers } from './users.ts';
import { removeKeys } from './scan-keys.ts';

/** The result of one request. */
export interface Answered {
  user: string;
  jobId: string;
  status: number;
  /** The backend that the response header reports. */
  path: string | null;
}

/** The whole system during a rollout: many users, a legacy backend, and a LiteLLM that can be made to fail. */
export interface RolloutSystem {
  services: RunningServices;
  litellm: LitellmSwitch;
  users: readonly TestUser[];
  turnout: (...args: string[]) => Promise<CliRun>;
  ask: (user: TestUser, content?: string) => Promise<Answered>;
  /** One request of each user, `AT_A_TIME` at once. */
  askAll: (content?: string) => Promise<Answered[]>;
  state: () => Promise<ControlState>;
  /** Waits until the committed state satisfies the condition. */
  stateThat: (is: (state: ControlState) => boolean) => Promise<ControlState>;
  /** The users that the flags in force send to LiteLLM. */
  onLitellm: () => Promise<string[]>;
  /** The merged log of all services. */
  logFile: string;
  log: () => LogLine[];
  stop: () => Promise<void>;
}

export type LogLine = Record<string, unknown> & { msg: string };

const AT_A_TIME = 20;

export async function startRollout(
  env: Readonly<Record<string, string>>,
  userCount = 120,
): Promise<RolloutSystem> {
  const run = testEnv();
  const litellm = await startLitellmSwitch(run.LITELLM_URL);
  const file = join(run.TURNOUT_TEST_STATE, `users-${process.pid}-${userCount}.json`);
  const users = writeUsers(file, userCount);
  const own = {
    LITELLM_URL: litellm.url,
    API_KEYS_FILE: file,
    LEGACY_FALLBACK: 'true',
    MAX_CALLS_PER_MODEL: '1',
  };
  const services = await startServices({ env: { ...own, MIGRATION_PHASE: '2', ...env } });
  const redis = connectRedis(run.REDIS_URL, 'rollout-test', silentLogger);
  const state = () => readCommitted(redis, controlKeys(services.prefix));
  const logFile = join(services.logs, 'turnout.log');
  const ask = (user: TestUser, content = 'Where does the line end? [[sim: tokens=3]]') =>
    askOnce(services.url, user, content);

  return {
    services,
    litellm,
    users,
    ask,
    state,
    logFile,
    turnout: (...args) => runTurnout(services.prefix, args),
    askAll: async (content) => {
      const answered: Answered[] = [];
      for (let first = 0; first < users.length; first += AT_A_TIME)
        answered.push(
          ...(await Promise.all(users.slice(first, first + AT_A_TIME).map((user) => ask(user, content)))),
        );
      return answered;
    },
    stateThat: async (is) => {
      let last = await state();
      const found = async () => is((last = await state()));
      if (!(await until(found, { timeoutMs: 60_000, everyMs: 20 })))
        throw new Error(`The expected state was not reached within 60 s; last seen: ${JSON.stringify(last)}`);
      return last;
    },
    onLitellm: async () => {
      const now = inForce(await state(), defaults());
      return users.map(({ user }) => user).filter((user) => decide(user, now).path === 'litellm');
    },
    log: () =>
      readFileSync(logFile, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as LogLine),
    stop: async () => {
      await services.stop();
      await litellm.close();
      await removeKeys(redis, `${services.prefix}:*`);
      await redis.quit();
    },
  };
}

function defaults() {
  const flags = readFlags({});
  if (Array.isArray(flags)) throw new Error(flags.join());
  return flags;
}

async function askOnce(url: string, { user, key }: TestUser, content: string): Promise<Answered> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'turnout-sim', messages: [{ role: 'user', content }] }),
  });
  await response.text();
  return {
    user,
    status: response.status,
    jobId: response.headers.get('x-turnout-job-id') ?? '',
    path: response.headers.get('x-turnout-path'),
  };
}
