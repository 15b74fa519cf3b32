import OpenAI from 'openai';
import {
  addresses,
  infrastructureParts,
  type InfrastructurePart,
  type PortName,
  startInfrastructure,
} from '../../stack/infrastructure.ts';
import { freePort } from '../../stack/ports.ts';
import { loadSecrets, type Secrets, writeApiKeys } from '../../stack/secrets.ts';
import { freezeRecorded, killRecorded } from './kill.ts';
import { createRunState, destroyAbandonedRuns, destroyRunState, layoutOfRun } from './state.ts';

export interface SystemOptions {
  /** Default: Kafka, both Redis, LiteLLM and the upstream simulator. */
  readonly parts?: readonly InfrastructurePart[];
  readonly say?: (line: string) => void;
  /** Provider credentials and other settings for LiteLLM. Default: none; only the simulated models exist. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The port that Kafka advertises to clients: that of a proxy in front of it. */
  readonly kafkaAdvertisedPort?: number;
}

export interface System {
  /** Addresses and keys under the services' variable names, plus UPSTREAM_URL and TURNOUT_TEST_STATE. */
  readonly env: Readonly<Record<string, string>>;
  /** Sends SIGKILL and waits until the process is gone. Its data stays. */
  kill(part: InfrastructurePart): Promise<void>;
  /** Sends SIGSTOP, and SIGCONT after `milliseconds`. */
  freeze(part: InfrastructurePart, milliseconds: number): Promise<void>;
  /** Restarts a killed part on its port with its data, and waits until it is healthy. */
  start(part: InfrastructurePart): Promise<void>;
  /** Stops every process of this system and removes its files. Safe to call again. */
  stop(): Promise<void>;
}

/**
 * Starts real Kafka, Redis, LiteLLM and the upstream simulator on free ports, with their own data. First removes systems whose
 * owner died. Throws `StackError` when a part does not start, after stopping the others.
 */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  await destroyAbandonedRuns();
  const state = createRunState();
  try {
    return { ...(await start(state, options)), stop: () => destroyRunState(state) };
  } catch (error) {
    await destroyRunState(state, { keepFiles: true });
    throw error;
  }
}

async function start(state: string, options: SystemOptions): Promise<Omit<System, 'stop'>> {
  const layout = layoutOfRun(state);
  const [secrets, ports] = [loadSecrets(layout), await freePorts()];
  const parts = new Set(options.parts ?? infrastructureParts);
  const say = options.say ?? (() => undefined);
  const startParts = (some: ReadonlySet<InfrastructurePart>) =>
    allOrThrow([
      ...startInfrastructure({
        layout,
        secrets,
        ports,
        parts: some,
        settings: options.settings ?? {},
        say,
        kafkaAdvertisedPort: options.kafkaAdvertisedPort,
      }).values(),
    ]);
  await startParts(parts);
  const found = addresses({ ports, secrets, parts });
  if (parts.has('litellm') && parts.has('upstream')) await warmUp(found);
  return {
    env: { ...found, ...keysOf(secrets, state) },
    kill: (part) => killRecorded(layout.run, part),
    freeze: (part, milliseconds) => freezeRecorded(layout.run, part, milliseconds),
    start: (part) => startParts(new Set([part])),
  };
}

/** The variables that tests get in addition to the addresses. */
export function keysOf(secrets: Secrets, state: string): Record<string, string> {
  return {
    TURNOUT_TEST_STATE: state,
    TURNOUT_SECRET: secrets.turnoutSecret,
    TURNOUT_ADMIN_KEY: secrets.adminKey,
    TURNOUT_API_KEY: secrets.apiKey,
    TURNOUT_API_KEY_2: secrets.apiKey2,
    API_KEYS_FILE: writeApiKeys(secrets, { state }),
  };
}

/** Waits for all promises, even when one fails, so that the cleanup does not race with a start. */
async function allOrThrow(promises: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(promises)).filter((result) => result.status === 'rejected');
  if (failed[0] !== undefined) throw failed[0].reason;
}

const WARM_UP_TIMEOUT_MS = 60_000;

/** LiteLLM imports more code at its first request, which can take seconds. This request keeps that out of the tests and the ledger. */
export async function warmUp(env: Readonly<Record<string, string>>): Promise<void> {
  const client = new OpenAI({
    baseURL: `${env['LITELLM_URL'] ?? ''}/v1`,
    apiKey: env['LITELLM_MASTER_KEY'] ?? '',
    timeout: WARM_UP_TIMEOUT_MS,
    maxRetries: 0,
  });
  const request = { model: 'turnout-sim', messages: [{ role: 'user' as const, content: 'hello' }] };
  await client.chat.completions.create(request);
  const stream = await client.chat.completions.create({ ...request, stream: true });
  await new Response(stream.toReadableStream()).text();
  await fetch(`${env['UPSTREAM_URL'] ?? ''}/sim/ledger`, { method: 'DELETE' });
}

async function freePorts(): Promise<Record<PortName, number>> {
  const reserved = new Set<number>();
  const next = async (): Promise<number> => {
    const port = await freePort(reserved);
    reserved.add(port);
    return port;
  };
  return {
    kafka: await next(),
    'kafka-controller': await next(),
    redis: await next(),
    'cache-redis': await next(),
    litellm: await next(),
    upstream: await next(),
  };
}
