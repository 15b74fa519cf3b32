import { infrastructureParts, type InfrastructurePart, type PortName } from './infrastructure.ts';
import { liveProcess, type PidRecord } from './pid-record.ts';
import { choosePort, type PortProbe, systemProbe } from './ports.ts';
import { type ServiceName, serviceNames } from './services.ts';

export type PlannedPort = PortName | ServiceName;

/** These avoid the usual ports of Kafka, Redis and LiteLLM, which are often in use on a developer's machine. */
export const defaultPorts: Readonly<Record<PlannedPort, number>> = {
  ingress: 8080,
  router: 8081,
  'context-worker': 8082,
  'llm-worker': 8083,
  cache: 8084,
  metrics: 8090,
  kafka: 19092,
  'kafka-controller': 19093,
  redis: 16379,
  'cache-redis': 16380,
  litellm: 14000,
  upstream: 14010,
};

export interface PortPlanOptions {
  readonly records: readonly PidRecord[];
  /** The infrastructure that runs here. */
  readonly parts: ReadonlySet<InfrastructurePart>;
  /** Ports that override the defaults. */
  readonly preferences?: Partial<Record<PlannedPort, number>>;
  readonly say: (line: string) => void;
}

/**
 * Assigns a port to every part. A running process keeps its port. A process that ran before gets the same port again if possible,
 * because the others know it by that port. The rest get their default port, or a free one if the default is taken.
 */
export async function planPorts(
  options: PortPlanOptions,
  probe: PortProbe = systemProbe,
): Promise<Record<PlannedPort, number>> {
  const running = options.records.filter((record) => liveProcess(record) !== undefined);
  const ports: Record<PlannedPort, number> = {
    ...defaultPorts,
    ...options.preferences,
    ...portsOf(options.records),
  };
  const kept = new Set<PlannedPort>(running.map((record) => record.name as PlannedPort));
  if (kept.has('kafka')) kept.add('kafka-controller');
  const reserved = new Set([...kept].map((name) => ports[name]));
  for (const name of needed(options.parts)) {
    if (!kept.has(name))
      ports[name] = await choosePort({ name, preferred: ports[name] }, reserved, options.say, probe);
  }
  return ports;
}

function portsOf(records: readonly PidRecord[]): Partial<Record<PlannedPort, number>> {
  return Object.fromEntries(
    records.flatMap(({ name, port, extraPorts }) => [[name, port], ...Object.entries(extraPorts)]),
  );
}

function needed(parts: ReadonlySet<InfrastructurePart>): PlannedPort[] {
  const infrastructure = infrastructureParts.filter((part) => parts.has(part));
  return [...serviceNames, ...infrastructure, ...(parts.has('kafka') ? (['kafka-controller'] as const) : [])];
}
