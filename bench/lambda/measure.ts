import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import pLimit from 'p-limit';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { type Producer } from '../../shared/platform/kafka/port.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { type Bundle, bundleLambda } from '../../stack/lambda/bundle.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../../test/harness/env.ts';
import { httpApiEvent } from '../../test/harness/lambda/events.ts';
import { type Sandbox, startSandbox } from '../../test/harness/lambda/sandbox.ts';
import { startS3 } from '../../test/harness/s3.ts';
import { startServices } from '../../test/harness/services.ts';
import { percentilesOf } from '../measure/percentiles.ts';
import { type LambdaFindings } from './report.ts';

export interface LambdaPlan {
  coldStarts: number;
  invocations: number;
  /** Invocations that are not counted: the code of a just started sandbox is not compiled yet. */
  warmUp: number;
}

const BARE_TOPIC = 'bench-lambda-bare';
const COMPLETED_WITHIN_MS = 120_000;

/** Measures the bundle in its own sandbox, in front of a complete Turnout. */
export async function measureLambda(plan: LambdaPlan, say: (line: string) => void): Promise<LambdaFindings> {
  const folder = mkdtempSync(join(tmpdir(), 'turnout-lambda-'));
  const bundle = await bundleLambda(folder);
  const s3 = await startS3();
  const services = await startServices({ env: { ...s3.env, LOG_LEVEL: 'warn' } });
  const env = {
    ...testEnv(),
    ...s3.env,
    TOPIC_PREFIX: services.prefix,
    REDIS_PREFIX: services.prefix,
    MIGRATION_PHASE: '3',
    LOG_LEVEL: 'warn',
  };
  const kafka = createKafka({
    brokers: env.KAFKA_BROKERS.split(','),
    clientId: 'bench-lambda',
    log: silentLogger,
  });
  await kafka.ensureTopics([{ topic: BARE_TOPIC, partitions: 6 }]);
  const bare = await kafka.producer();
  try {
    say(`measuring ${plan.coldStarts} cold starts`);
    const cold = await coldStarts(plan.coldStarts, { folder, handler: 'http', env });
    const lambda = await startSandbox({ folder, handler: 'http', env });
    const warm = await invokeWarm(lambda, bare, plan, say);
    say('waiting for the jobs');
    const client = new OpenAI({ baseURL: `${services.url}/v1`, apiKey: env.TURNOUT_API_KEY });
    const lost = await lostAmong(warm.ids, client);
    await lambda.stop();
    return { bundle: sizesOf(bundle), cold, ...warm.figures, invocations: warm.ids.length, lost };
  } finally {
    await bare.close();
    await services.stop();
    await s3.stop();
    rmSync(folder, { recursive: true });
  }
}

function sizesOf({ bytes, gzippedBytes, parts }: Bundle): LambdaFindings['bundle'] {
  return { bytes, gzippedBytes, largest: Object.fromEntries(parts.slice(0, 5)) };
}

/** Also measures the same runtime with an empty handler, to separate the cost of Node from that of Turnout. */
async function coldStarts(
  count: number,
  options: Parameters<typeof startSandbox>[0],
): Promise<LambdaFindings['cold']> {
  const empty = mkdtempSync(join(tmpdir(), 'turnout-lambda-empty-'));
  writeFileSync(join(empty, 'lambda.mjs'), 'export const http = () => ({});\n');
  const times = { turnout: [] as number[], empty: [] as number[] };
  for (let one = 0; one < count; one += 1) {
    times.turnout.push(await coldStart(options));
    times.empty.push(await coldStart({ ...options, folder: empty }));
  }
  rmSync(empty, { recursive: true });
  return { turnout: percentilesOf(times.turnout), empty: percentilesOf(times.empty) };
}

async function coldStart(options: Parameters<typeof startSandbox>[0]): Promise<number> {
  const sandbox = await startSandbox(options);
  await sandbox.stop();
  return sandbox.coldStartMs;
}

/** Alternates one invocation and one bare message, so that a drift of the machine affects both equally. */
async function invokeWarm(lambda: Sandbox, bare: Producer, plan: LambdaPlan, say: (line: string) => void) {
  const ids: string[] = [];
  const times = { invocation: [] as number[], bare: [] as number[] };
  const port = testEnv().KAFKA_BROKERS.split(':')[1] ?? '';
  let connections = 0;
  for (let one = 0; one < plan.warmUp + plan.invocations; one += 1) {
    const event = order(one);
    const invocation = await lambda.invoke(event);
    const began = performance.now();
    await bare.send({ topic: BARE_TOPIC, key: 'user', value: JSON.stringify(event), headers: {} });
    const bareMs = performance.now() - began;
    connections = invocation.connections[port] ?? 0;
    ids.push(idIn(invocation.body));
    if (one < plan.warmUp) continue;
    times.invocation.push(invocation.tookMs);
    times.bare.push(bareMs);
    if (ids.length % 250 === 0) say(`${ids.length} invocations`);
  }
  const figures = {
    invocation: percentilesOf(times.invocation),
    bareProduce: percentilesOf(times.bare),
    kafkaConnections: connections,
  };
  return { ids, figures };
}

function order(number: number) {
  return httpApiEvent({
    path: '/v1/responses',
    headers: { authorization: `Bearer ${testEnv().TURNOUT_API_KEY}` },
    body: { model: 'turnout-sim', background: true, input: `My seat is ${number}. [[sim: tokens=4]]` },
  });
}

/** The id of the accepted job. Throws if the answer does not accept one. */
function idIn(answer: Buffer): string {
  const { statusCode, body } = JSON.parse(answer.toString()) as { statusCode: number; body: string };
  if (statusCode !== 200) throw new Error(`The Lambda function responded with ${statusCode}: ${body}`);
  return (JSON.parse(body) as { id: string }).id;
}

async function lostAmong(ids: readonly string[], client: OpenAI): Promise<number> {
  const limit = pLimit(16);
  let open = [...ids];
  await until(
    async () => {
      const states = await Promise.all(open.map((id) => limit(() => client.responses.retrieve(id))));
      open = open.filter((_, at) => states[at]?.status !== 'completed');
      return open.length === 0;
    },
    { timeoutMs: COMPLETED_WITHIN_MS, everyMs: 500 },
  );
  return open.length;
}
