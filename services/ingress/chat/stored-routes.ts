import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { jobId } from '../../../shared/platform/ids.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { bodiless } from '../http/bodiless.ts';
import { type StoredJob, type StoredJobs } from '../answers/stored-jobs.ts';
import { toCompletion } from './completion.ts';
import { completionHead, jobIdOfCompletion } from './completion-id.ts';
import { readChatOriginal } from './original.ts';

export interface StoredChatDeps {
  stored: StoredJobs;
  caller: (request: FastifyRequest) => Principal;
}

interface Id {
  id: string;
}

/** `GET` and `DELETE /v1/chat/completions/{id}` for completions that were created with `store: true`. */
export function storedChatRoutes(app: FastifyInstance, { stored, caller }: StoredChatDeps): void {
  async function find(request: FastifyRequest<{ Params: Id }>) {
    const id = jobId.safeParse(jobIdOfCompletion(request.params.id));
    const found = id.success ? await stored.find(id.data, caller(request).user) : undefined;
    const original = found && readChatOriginal(found.original);
    if (!original || !isCompleted(found)) throw notFound(request.params.id);
    return { found, original };
  }

  app.get<{ Params: Id }>(
    '/v1/chat/completions/:id',
    { schema: { summary: 'Retrieve a stored chat completion', tags: ['Chat'] } },
    async (request) => {
      const { found, original } = await find(request);
      const head = completionHead(found.jobId, original.model, found.createdAt);
      return { ...toCompletion(head, found.events), metadata: original.metadata ?? {} };
    },
  );

  void app.register(
    bodiless((api) => {
      api.delete<{ Params: Id }>(
        '/v1/chat/completions/:id',
        { schema: { summary: 'Delete a stored chat completion', tags: ['Chat'] } },
        async (request) => {
          const { found } = await find(request);
          await stored.remove(found.jobId, caller(request).user);
          return { id: request.params.id, object: 'chat.completion.deleted', deleted: true };
        },
      );
    }),
  );
}

function isCompleted({ events }: StoredJob): boolean {
  return events.at(-1)?.type === 'completed';
}

function notFound(id: string): TurnoutError {
  return new TurnoutError('not_found', {
    message: `Chat completion with id '${id.slice(0, 100)}' not found.`,
  });
}
