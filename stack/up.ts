/** `make up`: installs, starts what does not run yet, and proves with one real request that it all works. */
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseConfig } from '../shared/config/load.ts';
import { type DevEnv, devEnv, writeDevEnv } from './dev-env.ts';
import { StackError } from './errors.ts';
import { sendFirstRequest } from './first-request.ts';
import {
  type InfrastructureOptions,
  type PartStarted,
  partsToRun,
  startInfrastructure,
} from './infrastructure.ts';
import { developmentLayout, type Layout } from './layout.ts';
import { providerVariables } from './litellm-config.ts';
import { withLock } from './lock.ts';
import { readPidRecords } from './pid-record.ts';
import { defaultPorts, type PlannedPort, planPorts } from './port-plan.ts';
import { ensureRunning } from './process.ts';
import { loadSecrets, writeApiKeys } from './secrets.ts';
import { serviceEnv } from './service-env.ts';
import { mergedLogOf, prepareService, type ServiceName, serviceNames } from './services.ts';
import { pick, readSettings, type Settings } from './settings.ts';

type Say = (line: string) => void;

interface Plan extends InfrastructureOptions {
  readonly ports: Readonly<Record<PlannedPort, number>>;
  /** What the services are started with. */
  readonly env: Readonly<Record<string, string>>;
}

const BUSY = 'Another `make up` is at work in this folder.';

/** Brings the whole stack up. Throws `StackError` or `ConfigError` with what to do; what runs by then keeps running. */
export async function up(say: Say): Promise<void> {
  const layout = developmentLayout(process.env);
  await withLock(join(layout.state, 'up.lock'), { timeoutMs: 0, busy: BUSY }, async () => {
    const plan = await makePlan(layout, say);
    const started = await startAll(plan);
    const env = devEnv({ ...plan, simulated: plan.parts.has('upstream') });
    const file = writeDevEnv(env, layout);
    const nothingNew = started.every((part) => part.started === 'already running');
    if (nothingNew) say('Turnout is up already: nothing was changed.');
    else await prove(env, plan.settings['TURNOUT_MODEL']);
    say(summary(env, relative(process.cwd(), file)));
  });
}

async function makePlan(layout: Layout, say: Say): Promise<Plan> {
  const settings = readSettings(process.env);
  const secrets = withMasterKey(loadSecrets(layout), settings);
  const parts = partsToRun(settings);
  const apiKeysFile = writeApiKeys(secrets, layout);
  const envWith = (ports: Plan['ports']): Record<string, string> =>
    serviceEnv({ layout, ports, parts, secrets, apiKeysFile, settings });
  // The services check it too; here it takes no minute to learn of a typing error.
  parseConfig({ ...envWith(defaultPorts), PORT: settings['PORT'] });
  const wishes = ingressPort(settings);
  const ports = await planPorts({ records: readPidRecords(layout.run), parts, wishes, say });
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

/** A master key of the user's own is also the one that a LiteLLM started here gets. */
function withMasterKey<T extends { litellmMasterKey: string }>(secrets: T, settings: Settings): T {
  return { ...secrets, litellmMasterKey: settings['LITELLM_MASTER_KEY'] ?? secrets.litellmMasterKey };
}

/** PORT in `.env` is the ingress's; one that is not a port is left for the services' own check to name. */
function ingressPort(settings: Settings): { ingress?: number } {
  const port = Number(settings['PORT']);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? { ingress: port } : {};
}

async function startAll(plan: Plan): Promise<PartStarted[]> {
  const infrastructure = startInfrastructure(plan);
  const stores = [...infrastructure].flatMap(([part, promise]) => (part === 'litellm' ? [] : [promise]));
  // The services start while LiteLLM is still importing: they need it for a request, not to be ready.
  const services = Promise.all(stores).then(() => startServices(plan));
  // Together, so that the first failure is told at once, whichever it is.
  return (await Promise.all([Promise.all(infrastructure.values()), services])).flat();
}

async function startServices(plan: Plan): Promise<PartStarted[]> {
  const behindIngress = serviceNames.filter((name) => name !== 'ingress');
  const started = await Promise.all(behindIngress.map((name) => startService(name, plan)));
  return [...started, await startService('ingress', plan)];
}

async function startService(name: ServiceName, { layout, ports, env, say }: Plan): Promise<PartStarted> {
  mkdirSync(join(layout.data, 'blobs'), { recursive: true });
  const spec = prepareService({ name, port: ports[name], env, mergedLog: mergedLogOf(layout) }, layout);
  const started = await ensureRunning(spec, layout.run);
  if (started !== 'already running') say(`${name}: ${started} on port ${spec.port}`);
  return { name, started };
}

async function prove(env: DevEnv, model: string | undefined): Promise<void> {
  const write = (text: string): void => void process.stdout.write(text);
  try {
    await sendFirstRequest({ url: env.TURNOUT_URL, apiKey: env.TURNOUT_API_KEY, model, write });
  } catch (error) {
    if (error instanceof StackError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StackError(
      `Everything runs, but the first request failed: ${reason}. See .turnout/logs/turnout.log.`,
      { cause: error },
    );
  }
}

function summary(env: DevEnv, file: string): string {
  return `
  Turnout      ${env.TURNOUT_URL}/v1   (docs: ${env.TURNOUT_URL}/docs)
  Metrics      ${env.METRICS_URL}/metrics
  LiteLLM      ${env.LITELLM_URL}
  Kafka        ${env.KAFKA_BROKERS}
  Addresses and keys are in ${file}; the log of all services is .turnout/logs/turnout.log.

  . ${file}
  curl -N "$TURNOUT_URL/v1/chat/completions" -H "Authorization: Bearer $TURNOUT_API_KEY" -H 'Content-Type: application/json' \\
    -d '{"model":"turnout-sim","stream":true,"messages":[{"role":"user","content":"What is a railway turnout?"}]}'
`;
}
