import { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type HookName } from '../../../shared/contracts/hook-names.ts';
import { type AdmittedJob, type Submission } from '../admission/admission-service.ts';
import { type AssistantSelection } from '../admission/assistant-selection.ts';
import { backgroundControls, type RequestControls, requestControls } from '../http/request-controls.ts';
import { atOnce } from '../answers/job-answer.ts';
import { watchReader } from '../answers/watch-reader.ts';
import { streamResponse, sendResponse } from './answer.ts';
import { type ResolvedConversation } from './conversation.ts';
import { toStoredItem } from '../response-schema/input-items.ts';
import { type ResponseOriginal } from '../response-schema/original.ts';
import { type ResponseRequest, responseRequest, responseSettings } from '../response-schema/request.ts';
import { projectResponse } from './response-events.ts';
import { type ResponseRouteDeps } from './route-deps.ts';
import { projectStored, responseHead } from './stored-responses.ts';
import { toChat } from './to-chat.ts';

/** `POST /v1/responses`: accepts the job. Then follows its log, or responds at once if the job runs in the background. */
export function createRoute(app: FastifyInstance, deps: ResponseRouteDeps): void {
  app.post<{ Body: ResponseRequest }>(
    '/v1/responses',
    {
      bodyLimit: deps.maxBodyBytes,
      schema: { body: responseRequest, summary: 'Create a response', tags: ['Responses'] },
    },
    async (request, reply) => {
      const { body, headers } = request;
      const controls = body.background
        ? backgroundControls(headers)
        : requestControls(headers, deps.defaultDeadlineMs);
      const caller = deps.caller(request);
      const selection = await deps.readSelection({ said: controls.assistant, model: body.model, caller });
      // After the cut, requests can still arrive on open connections, but this process can no longer wait for their answers.
      deps.cut.throwIfAborted();
      const { job, paramOf } = await admit(deps, request, {
        selection,
        controls,
        onRates: (headers) => void reply.headers(headers),
      });
      reply.header('x-turnout-job-id', job.jobId);
      const response = await answer(deps, request, reply, job).catch((error: unknown) => {
        throw named(error, paramOf);
      });
      return response ?? reply; // a stream has taken over the reply
    },
  );
}

/** The settings from the request headers, and a function that sets rate-limit headers on the response. */
interface Asked {
  selection: AssistantSelection;
  controls: RequestControls;
  onRates: Submission['onRates'];
}

async function admit(
  deps: ResponseRouteDeps,
  request: FastifyRequest<{ Body: ResponseRequest }>,
  { selection, controls, onRates }: Asked,
) {
  const { body, headers } = request;
  const caller = deps.caller(request);
  const conversation = await deps.resolve(caller.user, body);
  const translation = toChat(body, conversation);
  const background = body.background ?? false;
  const settings = { ...responseSettings.parse(body), model: selection.model };
  try {
    const job = await deps.admissionService.admit({
      caller,
      request: { ...translation.request, model: selection.model },
      ...(selection.assistant ? { assistant: { ...selection.assistant, ...continued(conversation) } } : {}),
      // Not the chat request: the content of earlier responses is not part of the request's identity.
      asked: { response: body },
      store: body.store,
      controls,
      traceparent: headers['traceparent'] as string | undefined,
      onRates,
      background,
      followed: !background || (body.stream ?? false),
      hookNames: hookNamesOf(body),
      truncation: body.truncation ?? undefined,
      original: (jobId): ResponseOriginal => ({
        version: 1,
        kind: 'response',
        request: settings,
        context: conversation.context,
        input: conversation.input.map((item, at) => toStoredItem(item, jobId.slice('job_'.length), at)),
      }),
    });
    return { job, paramOf: translation.paramOf };
  } catch (error) {
    throw named(error, translation.paramOf);
  }
}

/** The assistant that answered last in this conversation. */
function continued({ assistant }: ResolvedConversation): { conversation?: string } {
  return assistant === undefined ? {} : { conversation: assistant };
}

/** Like OpenAI, sends webhooks only for background responses: other callers receive the result directly. */
function hookNamesOf({ store, background }: ResponseRequest): HookName[] {
  if (background) return ['keep', 'notify'];
  return store === false ? [] : ['keep'];
}

/** Starts following the log before the job is published, so that no event is missed. */
async function answer(
  deps: ResponseRouteDeps,
  request: FastifyRequest<{ Body: ResponseRequest }>,
  reply: FastifyReply,
  job: AdmittedJob,
) {
  const { body } = request;
  const settings = { ...responseSettings.parse(body), model: job.model };
  const head = responseHead(job.jobId, job.createdAt, settings);
  if (body.background && !body.stream) {
    await job.publish();
    if (job.fresh) return projectResponse(head).body();
    return projectStored(await deps.find(head.id, deps.caller(request).user)).body();
  }
  const reader = watchReader(reply, job.deadlineAt - deps.now(), deps.cut);
  const following = deps.live.follow(job.jobId, { fresh: job.fresh, signal: reader.signal });
  try {
    await job.publish(reader.signal);
    const events = job.kept ? atOnce(job.kept) : following.events;
    const answering = { reply, events, projection: projectResponse(head) };
    if (!body.stream) return await sendResponse(answering);
    await streamResponse({ ...answering, after: -1 });
    return undefined;
  } finally {
    following.end();
    reader.end();
  }
}

/** Translates the error's parameter to the name that this client used. */
function named(error: unknown, paramOf: (param: string) => string): unknown {
  if (!(error instanceof TurnoutError) || error.param === undefined) return error;
  const { code, message, param, retryAfterS, cause } = error;
  return new TurnoutError(code, { message, param: paramOf(param), retryAfterS, cause });
}
