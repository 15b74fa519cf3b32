import { type FastifyInstance, type FastifyReply } from 'fastify';
import { z } from 'zod';
import { pageOf, pageQuery } from '../http/pagination.ts';
import { watchReader } from '../answers/watch-reader.ts';
import { atOnce, setJobHeaders } from '../answers/job-answer.ts';
import { type AnswerOptions, streamResponse } from './answer.ts';
import { projectResponse } from './response-events.ts';
import { type ResponseRouteDeps } from './route-deps.ts';
import { projectStored, type StoredResponse } from './stored-responses.ts';

const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

const retrieveQuery = z
  .looseObject({
    stream: flag.optional(),
    starting_after: z
      .string()
      .regex(/^\d{1,15}$/, 'must be a sequence number')
      .transform(Number)
      .optional(),
  })
  .refine(({ stream, starting_after }) => stream || starting_after === undefined, {
    path: ['starting_after'],
    error: 'it requires stream=true',
  });

interface Id {
  id: string;
}

/** `GET /v1/responses/{id}`, as the current object or as an event stream, and `GET /v1/responses/{id}/input_items`. */
export function readRoutes(app: FastifyInstance, deps: ResponseRouteDeps): void {
  app.get<{ Params: Id; Querystring: z.infer<typeof retrieveQuery> }>(
    '/v1/responses/:id',
    { schema: { querystring: retrieveQuery, summary: 'Retrieve a response', tags: ['Responses'] } },
    async (request, reply) => {
      const response = await deps.find(request.params.id, deps.caller(request).user);
      reply.header('x-turnout-job-id', response.jobId);
      for (const event of response.events) setJobHeaders(reply, event);
      const { stream, starting_after: after = -1 } = request.query;
      if (!stream) return projectStored(response).body();
      // Not awaited: this frame would keep the found events in memory for as long as the client reads.
      return streamFrom(deps, reply, response, after).then(() => reply);
    },
  );

  app.get<{ Params: Id; Querystring: z.infer<typeof pageQuery> }>(
    '/v1/responses/:id/input_items',
    { schema: { querystring: pageQuery, summary: 'List input items', tags: ['Responses'] } },
    async (request) => {
      const { context, input } = await deps.find(request.params.id, deps.caller(request).user);
      return pageOf([...context, ...input], request.query);
    },
  );
}

/** Streams from the log while the job runs. For an ended job, streams from its events, read from the log or the stored copy. */
function streamFrom(
  deps: ResponseRouteDeps,
  reply: FastifyReply,
  response: StoredResponse,
  after: number,
): Promise<void> {
  const answering = { reply, projection: projectResponse(response.head), after };
  if (!response.open) return streamResponse({ ...answering, events: atOnce(response.events) });
  const { jobId, deadlineAt = deps.now() } = response;
  return followLive(deps, { jobId, deadlineAt }, answering);
}

async function followLive(
  { live, now, cut }: ResponseRouteDeps,
  { jobId, deadlineAt }: { jobId: string; deadlineAt: number },
  answering: Pick<AnswerOptions, 'reply' | 'projection'> & { after: number },
): Promise<void> {
  const reader = watchReader(answering.reply, deadlineAt - now(), cut);
  const following = live.follow(jobId, { signal: reader.signal });
  try {
    await streamResponse({ ...answering, events: following.events });
  } finally {
    following.end();
    reader.end();
  }
}
