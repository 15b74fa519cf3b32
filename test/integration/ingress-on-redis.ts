import { fastify, type FastifyInstance } from 'fastify';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAdmissionService } from '../../services/ingress/admission/admission-service.ts';
import { createBodyWork } from '../../services/ingress/bodies/body-work.ts';
import { chatRoute } from '../../services/ingress/chat/route.ts';
import { storedChatRoutes } from '../../services/ingress/chat/stored-routes.ts';
import { installErrorHandling } from '../../services/ingress/api/errors.ts';
import { createConversations } from '../../services/ingress/responses/conversation.ts';
import { responseRoutes } from '../../services/ingress/responses/routes.ts';
import { createFindResponse } from '../../services/ingress/responses/stored-responses.ts';
import { createStoredJobs } from '../../services/ingress/answers/stored-jobs.ts';
import { validatorCompiler } from '../../services/ingress/http/validation.ts';
import { type BlobStore } from '../../shared/platform/blobs/blob-store.ts';
import { createDiskBlobStore } from '../../shared/platform/blobs/disk-blob-store.ts';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { jobMessage } from '../../shared/contracts/job-message.ts';
import { createAnswerStorage, type StorageQuota } from '../../shared/content/files/answer-storage.ts';
import { type FileRegistry } from '../../shared/content/files/file-registry.ts';
import { terminalEvent, toOutcome } from '../../shared/jobs/joblog/ending.ts';
import { createJobLog, type JobLog } from '../../shared/jobs/joblog/job-log.ts';
import { createKeptJobs, type KeptJobs } from '../../shared/jobs/joblog/kept-jobs.ts';
import { createLiveLog } from '../../services/ingress/answers/live-log.ts';
import { type OutboundMessage, type Producer } from '../../shared/platform/kafka/port.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { fileKeys, type JobKeys, jobKeys } from '../../shared/platform/redis/keys.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

/** The ingress's HTTP on the real Redis. The test plays the producer, the router and the worker. */
export interface IngressOnRedis {
  app: FastifyInstance;
  prefix: string;
  redis: Redis;
  keys: JobKeys;
  jobLog: JobLog;
  blobs: BlobStore;
  kept: KeptJobs;
  /** The jobs whose slots were released. */
  left: string[];
  /** Sets what happens to a message that the ingress sends. */
  onSend(send: Producer['send']): void;
  /** Sets which files users have. Default: none. */
  onFindFile(find: FileRegistry['find']): void;
  /** Sets what each user may store. Default: more than any test stores. */
  onStore(quota: StorageQuota): void;
  /** A router and a worker in one: takes the job over and answers it. Returns the result of routing it. */
  routeAndAnswer(message: OutboundMessage, answer?: readonly JobEvent[]): Promise<string>;
  /** Closes everything and removes its keys. */
  close(): Promise<void>;
}

export const ANSWER = 'The line is clear.';

/** Requests are from the user in the header `x-user`; from `user-1` without it. */
export async function startIngressOnRedis(
  name: string,
  responseRetentionMs = 60_000,
  logRetentionMs = 60_000,
): Promise<IngressOnRedis> {
  const prefix = `t-${name}-${randomBytes(4).toString('hex')}`;
  const keys = jobKeys(prefix);
  const folder = await mkdtemp(join(tmpdir(), `turnout-${name}-`));
  const { REDIS_URL, TURNOUT_SECRET } = testEnv();
  const redis = connectRedisWaiting(REDIS_URL, name, silentLogger);
  const jobLog = createJobLog({ redis, keys, retentionMs: logRetentionMs });
  const live = await createLiveLog({
    log: jobLog,
    subscriber: connectRedisWaiting(REDIS_URL, `${name}-live`, silentLogger),
    channel: keys.channel('test'),
    logger: silentLogger,
    onAbandoned: () => undefined,
  });
  let send: Producer['send'] = () => Promise.reject(new Error('The test has not called onSend'));
  let findFile: FileRegistry['find'] = () => Promise.resolve(undefined);
  const blobs = createDiskBlobStore(folder);
  const storage = createAnswerStorage(redis, fileKeys(prefix));
  const kept = createKeptJobs({ blobs, jobLog, storage, retentionMs: responseRetentionMs });
  const left: string[] = [];
  let quota: StorageQuota = { bytes: 1e9, answers: 1e6 };
  const bodies = createBodyWork();
  const admissionService = createAdmissionService({
    jobLog,
    blobs,
    files: { find: (user, id) => findFile(user, id) },
    producer: {
      send: (message, options) => send(message, options),
      connected: () => true,
      close: () => Promise.resolve(),
    },
    topic: 'jobs',
    secret: TURNOUT_SECRET,
    reader: live.channel,
    sampling: 'unasked',
    admissionControl: {
      enter: async ({ jobId, caller: { user }, storedBytes: bytes, deadlineAt: until }) => {
        if (bytes !== undefined) await storage.reserve({ user, jobId, bytes, until }, quota);
        return { reserved: false, cost: undefined };
      },
      confirm: () => Promise.resolve(),
      quote: () => Promise.resolve({ prices: {} }),
      leave: async ({ jobId, user }) => {
        left.push(jobId);
        await storage.release(user, jobId);
      },
    },
    kept,
    bodies: () => bodies,
    log: silentLogger,
  });
  const stored = createStoredJobs({ jobLog, blobs, kept, retentionMs: responseRetentionMs });
  const app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  installErrorHandling(app, silentLogger);
  const common = {
    admissionService,
    live,
    readSelection: ({ model }: { model: string }) => Promise.resolve({ model, assistant: undefined }),
    defaultDeadlineMs: 10_000,
    now: Date.now,
    maxBodyBytes: 1_000_000,
    caller: (request: { headers: Record<string, unknown> }) => ({
      keyId: 'key',
      user: (request.headers['x-user'] as string | undefined) ?? 'user-1',
      groups: [],
      admin: false,
    }),
    cut: new AbortController().signal,
  };
  chatRoute(app, { ...common, checkParameters: () => undefined });
  storedChatRoutes(app, { stored, caller: common.caller });
  const find = createFindResponse(stored, () => bodies);
  responseRoutes(app, {
    ...common,
    find,
    resolve: createConversations(find, 1_000_000),
    remove: (jobId, user) => stored.remove(jobId, user),
    ending: { jobLog, relays: { begin: () => undefined }, log: silentLogger },
  });
  await app.ready();

  return {
    app,
    prefix,
    redis,
    keys,
    jobLog,
    blobs,
    kept,
    left,
    onSend: (next) => (send = next),
    onStore: (next) => (quota = next),
    onFindFile: (next) => (findFile = next),
    routeAndAnswer: (message, answer = PLAIN_ANSWER) => routeAndAnswer(jobLog, message, answer),
    close: async () => {
      await app.close();
      await live.close();
      await removeKeys(redis, `${prefix}:*`);
      await redis.quit();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const PLAIN_ANSWER: readonly JobEvent[] = [
  { type: 'text', choice: 0, delta: ANSWER },
  { type: 'choice_end', choice: 0, reason: 'stop' },
];

async function routeAndAnswer(
  jobLog: JobLog,
  { value }: OutboundMessage,
  answer: readonly JobEvent[],
): Promise<string> {
  const job = jobMessage.parse(JSON.parse(value));
  const { jobId, model } = job;
  const at = Date.now();
  const decision = { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 } as const;
  const state = await jobLog.route(jobId, [
    { type: 'accepted', at, model },
    { type: 'routed', at, ...decision, promptTokens: 1 },
  ]);
  if (state !== 'routed') return state;
  const completed = { status: 'completed' } as const;
  const events = [...answer, terminalEvent(completed, at)];
  const outcome = toOutcome({ ...job, attempts: 1 }, events, completed, at);
  await jobLog.finish(jobId, { fence: undefined, expected: 2 }, events, outcome);
  return state;
}
