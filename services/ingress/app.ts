import { randomBytes } from 'node:crypto';
import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify';
import { createBlobStore } from '../../shared/blobs/create-blob-store.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { cancelJob } from '../../shared/joblog/cancellation.ts';
import { createJobLog } from '../../shared/joblog/job-log.ts';
import { createLiveLog } from '../../shared/joblog/live-log.ts';
import { keepReaderLease } from '../../shared/joblog/reader-leases.ts';
import { createKafka } from '../../shared/kafka/kafkajs.ts';
import { topicNames, topicSpecs } from '../../shared/kafka/topics.ts';
import { createReleasers } from '../../shared/lifecycle/releasers.ts';
import { type Service, type ServiceDeps } from '../../shared/lifecycle/run-service.ts';
import { closeRedis, connectRedis, connectRedisPatiently } from '../../shared/redis/connect.ts';
import { jobKeys } from '../../shared/redis/keys.ts';
import { createProbes } from '../../shared/telemetry/probes.ts';
import { createAdmissionDesk } from './admission.ts';
import { type ApiKeys, type Caller, loadApiKeys } from './api-keys.ts';
import { documentApi } from './api-docs.ts';
import { createBlobSweep } from './blob-sweep.ts';
import { createParameterCheck } from './chat/parameters.ts';
import { chatRoute } from './chat/route.ts';
import { storedChatRoutes } from './chat/stored-routes.ts';
import { createDrain } from './drain.ts';
import { answerClientError, installErrorHandling, newRequestId, sendError } from './errors.ts';
import { startFileParts } from './files/file-parts.ts';
import { fileRoutes } from './files/route.ts';
import { createModels, type Models } from './models.ts';
import { operationsRoutes } from './operations-routes.ts';
import { createConversations } from './responses/conversation.ts';
import { responseRoutes } from './responses/routes.ts';
import { createFindResponse } from './responses/stored-responses.ts';
import { createStoredJobs } from './stored-jobs.ts';
import { validatorCompiler } from './validation.ts';

/** OpenAI's API over HTTP -> Kafka, and the job log -> the client. */
export function build({ config, log }: ServiceDeps): Service {
  const releasers = createReleasers(log);
  const keys = jobKeys(config.REDIS_PREFIX);
  const topics = topicNames(config.TOPIC_PREFIX);

  async function start() {
    const apiKeys = loadApiKeys(config.API_KEYS_FILE);
    const redis = connectRedis(config.REDIS_URL, 'ingress', log);
    releasers.defer('redis', () => closeRedis(redis));
    const jobLog = createJobLog({ redis, keys, retentionMs: config.LOG_RETENTION_MS });
    const live = await createLiveLog({
      log: jobLog,
      subscriber: connectRedisPatiently(config.REDIS_URL, 'ingress-live', log),
      channel: keys.channel(randomBytes(6).toString('hex')),
      logger: log,
      onAbandoned: (jobId) => {
        cancelJob({ jobLog, log }, jobId, 'disconnect').catch((error: unknown) => {
          log.warn({ err: error, jobId }, 'An abandoned job was not ended; the sweep will');
        });
      },
    });
    releasers.defer('live log', () => live.close());
    releasers.defer('reader lease', keepReaderLease(redis, keys, live.channel, log));

    const kafka = createKafka({ brokers: config.KAFKA_BROKERS, clientId: 'turnout-ingress', log });
    await kafka.ensureTopics(topicSpecs(topics, config.JOB_PARTITIONS));
    const producer = await kafka.producer();
    releasers.defer('producer', () => producer.close());

    const models = createModels({
      litellmUrl: config.LITELLM_URL,
      masterKey: config.LITELLM_MASTER_KEY,
      log,
    });
    const probes = createProbes('ingress', {
      draining: () => !releasers.closing(),
      kafka: () => producer.connected(),
      redis: () => redis.status === 'ready',
      subscription: () => live.subscribed(),
    });
    const blobs = await createBlobStore(config);
    releasers.defer('blobs', () => blobs.close());
    const { RESPONSE_RETENTION_MS: responseRetentionMs } = config;
    const stored = createStoredJobs({ jobLog, blobs, retentionMs: responseRetentionMs });
    const blobSweep = createBlobSweep({ blobs, jobLog, log, keptMs: responseRetentionMs });
    releasers.defer('blob sweep', () => blobSweep.close());
    blobSweep.start();
    const { files, queue } = startFileParts({ config, redis, blobs, releasers, log });
    const desk = createAdmissionDesk({
      jobLog,
      blobs,
      files,
      producer,
      topic: topics.jobs,
      secret: config.TURNOUT_SECRET,
      reader: live.channel,
      log,
    });

    const app = createHttp(config.MAX_BODY_BYTES);
    const drain = createDrain(app, {
      shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
      lameDuckMs: config.LAME_DUCK_MS,
    });
    releasers.defer('http', () => drain.close());
    installErrorHandling(app, log);
    await documentApi(app);
    operationsRoutes(app, probes);
    await app.register((api) => {
      const caller = authenticated(api, apiKeys);
      modelRoutes(api, models);
      const served = config.ENABLE_LITELLM ? models : { assertServed: () => Promise.resolve() };
      const { DEFAULT_DEADLINE_MS: defaultDeadlineMs } = config;
      const common = { desk, live, models: served, defaultDeadlineMs, caller, cut: drain.signal };
      chatRoute(api, { ...common, checkParameters: createParameterCheck(config.PASS_PARAMETERS) });
      storedChatRoutes(api, { stored, caller });
      const find = createFindResponse(stored);
      responseRoutes(api, {
        ...common,
        find,
        resolve: createConversations(find, config.MAX_BODY_BYTES),
        remove: (jobId) => stored.remove(jobId),
        ending: { jobLog, log },
      });
      const { MAX_FILE_BYTES: maxBytes } = config;
      // In a scope of its own: only here are forms read.
      api.register((scope) => fileRoutes(scope, { blobs, files, queue, maxBytes, caller, log }));
      return Promise.resolve();
    });
    return { url: await app.listen({ host: config.HOST, port: config.PORT }) };
  }

  return { start, close: () => releasers.close() };
}

function createHttp(bodyLimit: number): FastifyInstance {
  const app = fastify({
    bodyLimit,
    genReqId: newRequestId,
    clientErrorHandler: answerClientError,
    // An address that cannot be decoded is no address of ours.
    frameworkErrors: (_error, _request, reply) => {
      void sendError(reply, new TurnoutError('not_found'));
    },
    forceCloseConnections: 'idle',
    // A request that arrives on a connection that is still open is served, and closes it.
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  return app;
}

/** Every route of the scope answers only to a caller with a key. */
function authenticated(api: FastifyInstance, apiKeys: ApiKeys): (request: FastifyRequest) => Caller {
  const callers = new WeakMap<FastifyRequest, Caller>();
  api.addHook('onRequest', (request, _reply, done) => {
    callers.set(request, apiKeys.authenticate(request.headers.authorization));
    done();
  });
  return (request) => {
    const caller = callers.get(request);
    if (!caller) throw new TurnoutError('invalid_api_key');
    return caller;
  };
}

function modelRoutes(api: FastifyInstance, models: Models): void {
  api.get('/v1/models', { schema: { summary: 'List models', tags: ['Models'] } }, () => models.list());
  api.get<{ Params: { '*': string } }>(
    '/v1/models/*',
    { schema: { summary: 'Retrieve a model', tags: ['Models'] } },
    async (request) => {
      const id = request.params['*'];
      const found = (await models.list()).data.find((model) => model.id === id);
      if (!found)
        throw new TurnoutError('model_not_found', {
          message: `The model '${id}' does not exist.`,
          param: 'model',
        });
      return found;
    },
  );
}
