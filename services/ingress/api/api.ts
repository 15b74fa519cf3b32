import { type FastifyInstance } from 'fastify';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { type Config } from '../../../shared/platform/config/schema.ts';
import { userHash } from '../../../shared/platform/ids.ts';
import { type Backend } from '../../../shared/contracts/decision.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { readUsage } from '../../../shared/policy/usage/read-usage.ts';
import { authenticated } from '../http/authenticated.ts';
import { createParameterCheck } from '../chat/parameters.ts';
import { chatRoute } from '../chat/route.ts';
import { storedChatRoutes } from '../chat/stored-routes.ts';
import { fileRoutes } from '../files/route.ts';
import { modelRoutes } from '../models/model-routes.ts';
import { type ApiDependencies } from './dependencies.ts';
import { createReadSelection } from '../models/read-selection.ts';
import { createConversations } from '../responses/conversation.ts';
import { responseRoutes } from '../responses/routes.ts';
import { createFindResponse } from '../responses/stored-responses.ts';
import { usageRoutes } from './usage-routes.ts';
import { webhookRoutes } from '../webhooks/routes.ts';

export interface ApiDeps extends ApiDependencies {
  config: Config;
  /** The backend that would serve this user's job now. */
  backendOf: (user: string) => Backend;
  /** Fires when this process stops waiting for answers. Its reason is the error that clients receive. */
  cut: AbortSignal;
  log: Logger;
}

/** Registers all routes that need an API key, in their own scope: one call for each part of OpenAI's API. */
export async function apiRoutes(api: FastifyInstance, deps: ApiDeps): Promise<void> {
  const { config, ending, live, admissionService, stored, assistants, blobs, files, queue, cut, log } = deps;
  const caller = authenticated(api, deps.authenticator);
  const mayUseModel = (who: Principal, model: string) => deps.policy.of(who).mayUseModel(model);
  modelRoutes(api, { models: deps.models, assistants, mayUseModel, caller });
  const readSelection = createReadSelection({
    assistants,
    models: deps.models,
    backendOf: deps.backendOf,
    mayUseModel,
    selection: config.ASSISTANT_SELECTION,
    defaultModel: config.ASSISTANT_DEFAULT_MODEL,
  });
  const asking = {
    admissionService,
    live,
    readSelection,
    defaultDeadlineMs: config.DEFAULT_DEADLINE_MS,
    now: () => deps.clock.now(),
    maxBodyBytes: config.MAX_BODY_BYTES,
    caller,
    cut,
  };
  chatRoute(api, { ...asking, checkParameters: createParameterCheck(config.PASS_PARAMETERS) });
  storedChatRoutes(api, { stored, caller });
  const find = createFindResponse(stored, deps.bodies);
  responseRoutes(api, {
    ...asking,
    find,
    resolve: createConversations(find, config.MAX_BODY_BYTES),
    remove: (jobId, user) => stored.remove(jobId, user),
    ending,
  });
  // Multipart forms are parsed only in this scope.
  const maxBytes = config.MAX_FILE_BYTES;
  await api.register((scope) =>
    fileRoutes(scope, { blobs, files, queue, limits: deps.uploadLimits, maxBytes, caller, log }),
  );
  usageRoutes(api, {
    usageOf: (asked) => readUsage(deps.redis, config.REDIS_PREFIX, asked),
    entitlementOf: (who) => deps.policy.of(who),
    userHash: (user) => userHash(config.TURNOUT_SECRET, user),
    caller,
  });
  webhookRoutes(api, { ...deps.webhooks, caller });
}
