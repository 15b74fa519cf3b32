import { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type ChatRequest, chatRequest } from '../../../shared/contracts/chat-request.ts';
import { type LiveLog } from '../answers/live-log.ts';
import { type AdmissionService, type AdmittedJob } from '../admission/admission-service.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { type ReadSelection } from '../models/read-selection.ts';
import { requestControls } from '../http/request-controls.ts';
import { atOnce } from '../answers/job-answer.ts';
import { watchReader } from '../answers/watch-reader.ts';
import { streamCompletion, sendCompletion } from './answer.ts';
import { completionHead } from './completion-id.ts';
import { forModel } from './for-model.ts';
import { chatOriginalOf } from './original.ts';

export interface ChatRouteDeps {
  admissionService: AdmissionService;
  live: LiveLog;
  readSelection: ReadSelection;
  /** Throws for a parameter that would have no effect. */
  checkParameters: (body: ChatRequest) => void;
  defaultDeadlineMs: number;
  /** The clock that deadlines are measured by; milliseconds since the epoch. */
  now: () => number;
  /** The maximum size of a request body. */
  maxBodyBytes: number;
  caller: (request: FastifyRequest) => Principal;
  /** Fires when this process stops waiting for answers. Its reason is the error that clients receive. */
  cut: AbortSignal;
}

/** `POST /v1/chat/completions`: accepts the job, then follows its log. */
export function chatRoute(app: FastifyInstance, deps: ChatRouteDeps): void {
  app.post<{ Body: ChatRequest }>(
    '/v1/chat/completions',
    {
      bodyLimit: deps.maxBodyBytes,
      schema: { body: chatRequest, summary: 'Create a chat completion', tags: ['Chat'] },
    },
    async (request, reply) => {
      const { body, headers } = request;
      deps.checkParameters(body);
      const caller = deps.caller(request);
      const controls = requestControls(headers, deps.defaultDeadlineMs);
      const selection = await deps.readSelection({ said: controls.assistant, model: body.model, caller });
      // After the cut, requests can still arrive on open connections, but this process can no longer wait for their answers.
      deps.cut.throwIfAborted();
      const job = await deps.admissionService.admit({
        caller,
        request: forModel(body, selection.model),
        assistant: selection.assistant,
        asked: body,
        ...(body.store ? { hookNames: ['keep'], original: () => chatOriginalOf(body, selection.model) } : {}),
        store: body.store,
        controls,
        traceparent: headers['traceparent'] as string | undefined,
        onRates: (headers) => void reply.headers(headers),
      });
      reply.header('x-turnout-job-id', job.jobId);
      const completion = await answer(deps, body, reply, job);
      return completion ?? reply; // a stream has taken over the reply
    },
  );
}

/** Starts following the log before the job is published, so that no event is missed. */
async function answer(deps: ChatRouteDeps, body: ChatRequest, reply: FastifyReply, job: AdmittedJob) {
  const { jobId, fresh, createdAt, deadlineAt } = job;
  const clientAbort = watchReader(reply, deadlineAt - deps.now(), deps.cut);
  const following = deps.live.follow(jobId, { fresh, signal: clientAbort.signal });
  try {
    await job.publish(clientAbort.signal);
    const head = completionHead(jobId, job.model, createdAt);
    const events = job.kept ? atOnce(job.kept) : following.events;
    if (!body.stream) return await sendCompletion({ reply, events, head });
    const includeUsage = body.stream_options?.include_usage ?? false;
    await streamCompletion({ reply, events, head, includeUsage });
    return undefined;
  } finally {
    following.end();
    clientAbort.end();
  }
}
