/** `make up`: installs the dependencies, starts every process that does not run yet, and verifies the system with one real request. */
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseConfig } from '../shared/platform/config/load.ts';
import { type DevEnv, devEnv, writeDevEnv } from './dev-env.ts';
import { messageOf, StackError } from './errors.ts';
import { watchFailures } from './first-failure.ts';
import { chooseModel, firstClient, sendFirstRequest } from './first-request.ts';
import {
  type InfrastructureOptions,
  type PartStarted,
  partsToRun,
  startInfrastructure,
} from './infrastructure.ts';
import { developmentLayout, type Layout } from './layout.ts';
import { incompleteCredentials, providerVariables } from './litellm-config.ts';
import { withLock } from './lock.ts';
import { readPidRecords } from './pid-record.ts';
import { defaultPorts, type PlannedPort, planPorts } from './port-plan.ts';
import { ensureRunning, PortTakenError } from './process.ts';
import { loadSecrets, writeApiKeys } from './secrets.ts';
import { warnOfStoredFlags } from './stored-flags.ts';
import { serviceEnv } from './service-env.ts';
import { mergedLogOf, prepareService, type ServiceName, serviceNames } from './services.ts';
import { pick, readSettings, type Settings } from './settings.ts';

type Say = (line: string) => void;

interface Plan extends InfrastructureOptions {
  readonly ports: Readonly<Record<PlannedPort, number>>;
  /** The variables of the services. */
  readonly env: Readonly<Record<string, string>>;
}

const BUSY = 'Another `make up` is running in this folder.';

/** Starts the whole stack. Throws `StackError` or `ConfigError`; processes that were started by then keep running. */
export async function up(say: Say): Promise<void> {
  const layout = developmentLayout(process.env);
  await withLock(join(layout.state, 'up.lock'), { timeoutMs: 0, busy: BUSY }, async () => {
    const settings = readSettings(process.env, say);
    for (const warning of incompleteCredentials(settings)) say(warning);
    const { plan, started } = await startOnFreePorts(layout, settings, say);
    const env = devEnv({ ...plan, simulated: plan.parts.has('upstream') });
    const file = writeDevEnv(env, layout);
    const nothingNew = started.every((part) => part.started === 'already running');
    if (nothingNew) say('Turnout is already running. Nothing was changed.');
    const model = await prove(env, layout, { wished: settings['TURNOUT_MODEL'], ask: !nothingNew });
    await warnOfStoredFlags(settings, { url: env.METRICS_URL, adminKey: env.TURNOUT_ADMIN_KEY }, say);
    say(summary(env, model, relative(process.cwd(), file)));
  });
}

const STARTS = 3;

/** Retries with another port if a program took a port between the plan and the start. Running processes keep their ports. */
async function startOnFreePorts(
  layout: Layout,
  settings: Settings,
  say: Say,
): Promise<{ plan: Plan; started: PartStarted[] }> {
  for (let attempt = 1; ; attempt += 1) {
    const plan = await makePlan(layout, settings, say);
    try {
      return { plan, started: await startAll(plan) };
    } catch (error) {
      if (!(error instanceof PortTakenError) || attempt === STARTS) throw error;
      say(`${error.message} Retrying with another port.`);
    }
  }
}

async function makePlan(layout: Layout, settings: Settings, say: Say): Promise<Plan> {
  const secrets = withMasterKey(loadSecrets(layout), settings);
  const parts = partsToRun(settings);
  const apiKeysFile = writeApiKeys(secrets, layout);
  const envWith = (ports: Plan['ports']): Record<string, string> =>
    serviceEnv({ layout, ports, parts, secrets, apiKeysFile, settings });
  // The services check it too, but here the user learns of a mistake before the installation.
  parseConfig({ ...envWith(defaultPorts), PORT: settings['PORT'] });
  const preferences = ingressPort(settings);
  const ports = await planPorts({ records: readPidRecords(layout.run), parts, preferences, say });
  return {
    layout,
    secrets,
    parts,
    ports,
    env: envWith(ports),
    settings: pick(settings, ['TURNOUT_MODEL', 'TURNOUT_SIMULATOR', ...providerVariables]),
    say,
  };
}

/** If the user sets a master key, a LiteLLM that is started here gets that key. */
function withMasterKey<T extends { litellmMasterKey: string }>(secrets: T, settings: Settings): T {
  return { ...secrets, litellmMasterKey: settings['LITELLM_MASTER_KEY'] ?? secrets.litellmMasterKey };
}

/** PORT in `.env` is the ingress's port. An invalid value is ignored here; the services' own check reports it. */
function ingressPort(settings: Settings): { ingress?: number } {
  const port = Number(settings['PORT']);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? { ingress: port } : {};
}

async function startAll(plan: Plan): Promise<PartStarted[]> {
  const infrastructure = startInfrastructure(plan);
  const stores = [...infrastructure].flatMap(([part, promise]) => (part === 'litellm' ? [] : [promise]));
  // The services start while LiteLLM is still starting: they need it for requests, but not to be ready.
  const services = Promise.all(stores).then(() => startServices(plan));
  return (await together([together([...infrastructure.values()]), services])).flat();
}

/** Fails at the first failure. Before a retry with another port, it waits until all starts have settled. */
async function together<T>(starts: readonly Promise<T>[]): Promise<T[]> {
  try {
    return await Promise.all(starts);
  } catch (error) {
    if (error instanceof PortTakenError) await Promise.allSettled(starts);
    throw error;
  }
}

async function startServices(plan: Plan): Promise<PartStarted[]> {
  const behindIngress = serviceNames.filter((name) => name !== 'ingress');
  const started = await together(behindIngress.map((name) => startService(name, plan)));
  return [...started, await startService('ingress', plan)];
}

async function startService(name: ServiceName, { layout, ports, env, say }: Plan): Promise<PartStarted> {
  mkdirSync(join(layout.data, 'blobs'), { recursive: true });
  const spec = prepareService({ name, port: ports[name], env, mergedLog: mergedLogOf(layout) }, layout);
  const started = await ensureRunning(spec, layout.run);
  if (started !== 'already running') say(`${name}: ${started} on port ${spec.port}`);
  return { name, started };
}

/** Chooses the model and, with `ask`, sends the first request. Returns the model. */
async function prove(
  env: DevEnv,
  layout: Layout,
  { wished, ask }: { wished: string | undefined; ask: boolean },
): Promise<string> {
  const write = (text: string): void => void process.stdout.write(text);
  const failure = watchFailures(mergedLogOf(layout));
  const client = firstClient(env.TURNOUT_URL, env.TURNOUT_API_KEY);
  try {
    const model = await chooseModel(client, wished);
    if (ask) await sendFirstRequest({ client, model, write, failure });
    return model;
  } catch (error) {
    throw new StackError(
      `All processes run, but the first request failed: ${messageOf(error)}\nThe log of all services is .turnout/logs/turnout.log.`,
      { cause: error },
    );
  }
}

function summary(env: DevEnv, model: string, file: string): string {
  return `
  Turnout      ${env.TURNOUT_URL}/v1   (docs: ${env.TURNOUT_URL}/docs)
  Metrics      ${env.METRICS_URL}/metrics
  LiteLLM      ${env.LITELLM_URL}
  Kafka        ${env.KAFKA_BROKERS}
  Addresses and keys: ${file}
  Log of all services: .turnout/logs/turnout.log

  . ${file}
  curl -N "$TURNOUT_URL/v1/chat/completions" -H "Authorization: Bearer $TURNOUT_API_KEY" -H 'Content-Type: application/json' \\
    -d '{"model":"${model}","stream":true,"messages":[{"role":"user","content":"What is a railway turnout?"}]}'
`;
}
