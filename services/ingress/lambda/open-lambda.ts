import { type Writable } from 'node:stream';
import { pino } from 'pino';
import { ConfigError, loadConfig } from '../../../shared/platform/config/load.ts';
import { type Config } from '../../../shared/platform/config/schema.ts';
import { decide } from '../../../shared/contracts/flags/decide.ts';
import { createKafka } from '../../../shared/platform/kafka/kafkajs.ts';
import { createReleasers } from '../../../shared/platform/lifecycle/releasers.ts';
import { createLogger } from '../../../shared/platform/log/logger.ts';
import { inForce } from '../../../shared/rollout/control/in-force.ts';
import { apiRoutes } from '../api/api.ts';
import { createBodyWork } from '../bodies/body-work.ts';
import { installErrorHandling } from '../api/errors.ts';
import { createHttp } from '../api/http.ts';
import { openApiDependencies } from '../api/dependencies.ts';
import { answerOf, type HttpAnswer, requestOf, streamAnswer } from './http-events.ts';
import { type BatchAnswer, createJobSources } from './job-sources.ts';
import { createResumeAfterFreeze } from './resume-after-freeze.ts';

export interface Lambda {
  /** Throws `EventError` for an event of another kind, like the methods below. */
  http(event: unknown): Promise<HttpAnswer>;
  /** Resolves when the response has ended. */
  stream(event: unknown, response: Writable): Promise<void>;
  sqs(event: unknown): Promise<BatchAnswer>;
  /** Throws when the job was not accepted; Lambda then retries the event. */
  eventBridge(event: unknown): Promise<void>;
}

/**
 * The ingress without a port: the same routes, called by events. It does not follow the control topic, because a frozen sandbox
 * cannot. Flags from its own environment decide only whether a model must exist in LiteLLM; the router chooses the backend. The
 * Kafka topics must already exist. Throws `ConfigError`.
 */
export async function openLambda(): Promise<Lambda> {
  const config = loadConfig();
  assertShared(config);
  // Logs synchronously: the sandbox freezes once the response is out, and buffered lines might never be written.
  const log = createLogger('ingress', config, pino.destination({ dest: 1, sync: true }));
  const releasers = createReleasers(log);
  process.once('SIGTERM', () => {
    releasers.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });

  const kafka = createKafka({ brokers: config.KAFKA_BROKERS, clientId: 'turnout-lambda', log });
  // A sandbox serves one request of at most 6 MB at a time, so no other request waits while a body is parsed.
  const work = createBodyWork();
  const bodies = () => work;
  const deps = await openApiDependencies({ config, kafka, bodies, releasers, log });
  const app = createHttp(bodies, { trustedProxies: config.TRUSTED_PROXIES, log });
  installErrorHandling(app, log);
  const backendOf = (user: string) => decide(user, inForce(undefined, config)).path;
  const { signal: never } = new AbortController();
  await app.register((api) => apiRoutes(api, { ...deps, config, backendOf, cut: never, log }));
  await app.ready();

  const resume = createResumeAfterFreeze(deps, log);
  const sources = createJobSources({ inject: (request) => app.inject(request), log });
  return {
    http: (event) =>
      resume.during(async () => {
        const request = requestOf(event);
        return answerOf(await app.inject(request));
      }),
    stream: (event, response) =>
      resume.during(async () => {
        const request = requestOf(event);
        await streamAnswer(await app.inject({ ...request, payloadAsStream: true }), response);
      }),
    sqs: (event) => resume.during(() => sources.sqs(event)),
    eventBridge: (event) => resume.during(() => sources.eventBridge(event)),
  };
}

/** Where Lambda mounts file systems that outlive a sandbox. */
const MOUNTS = '/mnt/';

function assertShared({ BLOB_STORE, BLOB_DIR }: Config): void {
  if (BLOB_STORE === 's3' || BLOB_DIR.startsWith(MOUNTS)) return;
  throw new ConfigError([
    `BLOB_STORE must be s3, or BLOB_DIR must be a mounted file system under ${MOUNTS}: workers cannot read a Lambda's own disk, which is lost with its sandbox`,
  ]);
}
