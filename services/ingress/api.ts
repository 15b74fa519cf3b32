import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { type Assistant } from '../../shared/assistants/assistant-file.ts';
import { type BlobStore } from '../../shared/blobs/blob-store.ts';
import { type Config } from '../../shared/config/schema.ts';
import { type Path } from '../../shared/contracts/decision.ts';
import { type JobLog } from '../../shared/joblog/job-log.ts';
import { type LiveLog } from '../../shared/joblog/live-log.ts';
import { type Logger } from '../../shared/log/logger.ts';
import { type AdmissionDesk } from './admission.ts';
import { type Caller } from './api-keys.ts';
import { createParameterCheck } from './chat/parameters.ts';
import { chatRoute } from './chat/route.ts';
import { storedChatRoutes } from './chat/stored-routes.ts';
import { fileRoutes, type FileRoutesDeps } from './files/route.ts';
import { modelRoutes } from './model-routes.ts';
import { type Models } from './models.ts';
import { createReadWish } from './read-wish.ts';
import { createConversations } from './responses/conversation.ts';
import { responseRoutes } from './responses/routes.ts';
import { createFindResponse } from './responses/stored-responses.ts';
import { type StoredJobs } from './stored-jobs.ts';
import { webhookRoutes, type WebhookRoutesDeps } from './webhooks/routes.ts';

export interface ApiDeps extends Pick<FileRoutesDeps, 'files' | 'queue'> {
  config: Config;
  jobLog: JobLog;
  live: LiveLog;
  desk: AdmissionDesk;
  stored: StoredJobs;
  models: Models;
  /** Those that there are now. */
  assistants: () => readonly Assistant[];
  /** The path that a user's job would take now. */
  pathOf: (user: string) => Path;
  blobs: BlobStore;
  webhooks: Omit<WebhookRoutesDeps, 'caller'>;
  /** Who sent a request of this scope. */
  caller: (request: FastifyRequest) => Caller;
  /** Fires when this process can wait for answers no longer; the reason is what their clients are told. */
  cut: AbortSignal;
  log: Logger;
}

/** All that answers to an API key: one call for each part of OpenAI's API. */
export function apiRoutes(api: FastifyInstance, deps: ApiDeps): void {
  const { config, jobLog, live, desk, stored, assistants, blobs, files, queue, caller, cut, log } = deps;
  modelRoutes(api, { models: deps.models, assistants, caller });
  const readWish = createReadWish({
    assistants,
    models: deps.models,
    pathOf: deps.pathOf,
    selection: config.ASSISTANT_SELECTION,
    defaultModel: config.ASSISTANT_DEFAULT_MODEL,
  });
  const asking = { desk, live, readWish, defaultDeadlineMs: config.DEFAULT_DEADLINE_MS, caller, cut };
  chatRoute(api, { ...asking, checkParameters: createParameterCheck(config.PASS_PARAMETERS) });
  storedChatRoutes(api, { stored, caller });
  const find = createFindResponse(stored);
  responseRoutes(api, {
    ...asking,
    find,
    resolve: createConversations(find, config.MAX_BODY_BYTES),
    remove: (jobId) => stored.remove(jobId),
    ending: { jobLog, log },
  });
  // In a scope of its own: only here are forms read.
  const maxBytes = config.MAX_FILE_BYTES;
  void api.register((scope) => fileRoutes(scope, { blobs, files, queue, maxBytes, caller, log }));
  webhookRoutes(api, { ...deps.webhooks, caller });
}
