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
  /** Throws `EventError` for an event of another kind; so do the others. */
  http(event: unknown): Promise<HttpAnswer>;
  /** Resolves when the answer has ended. */
  stream(event: unknown, response: Writable): Promise<void>;
  sqs(event: unknown): Promise<BatchAnswer>;
  /** Throws when the job was not accepted: Lambda then tries again. */
  eventBridge(event: unknown): Promise<void>;
}

/**
 * The ingress without a port: the same routes, called by events. It follows no control topic, since a sandbox that stands still
 * follows nothing: the flags of its own environment say whether a model must be one of LiteLLM's, and the router decides the path.
 * Topics must exist. Throws `ConfigError`.
 */
export async function openLambda(): Promise<Lambda> {
  const config = loadConfig();
  assertShared(config);
  // What is written later may be written never: the sandbox stands still when the answer is out.
  const log = createLogger('ingress', config, pino.destination({ dest: 1, sync: true }));
  const releasers = createReleasers(log);
  process.once('SIGTERM', () => {
    releasers.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });

  const kafka = createKafka({ brokers: config.KAFKA_BROKERS, clientId: 'turnout-lambda', log });
  // A sandbox has one request at a time, of 6 MB at most: nobody waits beside it.
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
    `BLOB_STORE must be s3, or BLOB_DIR a mounted file system under ${MOUNTS}: a Lambda's disk goes with it, and no worker sees it`,
  ]);
}
