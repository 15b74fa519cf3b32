import { type FastifyInstance } from 'fastify';
import { isTerminal } from '../../../shared/contracts/job-event.ts';
import { cancelJob } from '../../../shared/jobs/joblog/cancellation.ts';
import { bodiless } from '../http/bodiless.ts';
import { type ResponseRouteDeps } from './route-deps.ts';
import { projectStored } from './stored-responses.ts';

/** `POST /v1/responses/{id}/cancel` and `DELETE /v1/responses/{id}`. */
export function endRoutes(app: FastifyInstance, deps: ResponseRouteDeps): void {
  void app.register(
    bodiless((api) => {
      api.post<{ Params: { id: string } }>(
        '/v1/responses/:id/cancel',
        { schema: { summary: 'Cancel a response', tags: ['Responses'] } },
        async (request, reply) => {
          const { user } = deps.caller(request);
          const response = await deps.find(request.params.id, user);
          reply.header('x-turnout-job-id', response.jobId);
          if (!response.open) return projectStored(response).body();
          await end(deps, response.jobId);
          return projectStored(await deps.find(request.params.id, user)).body();
        },
      );

      api.delete<{ Params: { id: string } }>(
        '/v1/responses/:id',
        { schema: { summary: 'Delete a response', tags: ['Responses'] } },
        async (request) => {
          const { id } = request.params;
          const { user } = deps.caller(request);
          const { jobId, open } = await deps.find(id, user);
          if (open) await end(deps, jobId);
          await deps.remove(jobId, user);
          return { id, object: 'response', deleted: true };
        },
      );
    }),
  );
}

/**
 * Ends the job. Usually the worker that holds it does so within milliseconds, and the log shows it. Otherwise `cancelJob` ends it
 * a second later.
 */
async function end({ live, ending }: ResponseRouteDeps, jobId: string): Promise<void> {
  const waiting = new AbortController();
  const following = live.follow(jobId, { signal: waiting.signal });
  const observed = (async () => {
    for await (const group of following.events) if (group.some(({ event }) => isTerminal(event))) return;
  })();
  const cancelled = cancelJob(ending, jobId, 'client');
  try {
    await Promise.race([observed, cancelled]);
  } finally {
    waiting.abort();
    following.end();
    for (const rest of [observed, cancelled])
      rest.catch((error: unknown) => {
        if (!waiting.signal.aborted || error !== waiting.signal.reason)
          ending.log.warn(
            { err: error, jobId },
            'Could not confirm a cancellation; the sweep will end the job',
          );
      });
  }
}
