import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { modelNotFound } from '../../../shared/policy/access/model-access.ts';
import { type Assistant } from '../../../shared/content/assistants/assistant-file.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { assistantModels } from '../admission/assistant-selection.ts';
import { type ModelList, type Models } from './models.ts';

interface ModelRoutesDeps {
  models: Pick<Models, 'list'>;
  /** The current assistants. Users see those that they may use in the list of models. */
  assistants: () => readonly Assistant[];
  mayUseModel: (who: Principal, model: string) => boolean;
  caller: (request: FastifyRequest) => Principal;
}

/** `GET /v1/models` and `GET /v1/models/{id}`. */
export function modelRoutes(
  api: FastifyInstance,
  { models, assistants, mayUseModel, caller }: ModelRoutesDeps,
): void {
  async function listFor(request: FastifyRequest): Promise<ModelList> {
    const { data, ...list } = await models.list();
    const who = caller(request);
    const ours = assistantModels(assistants(), who);
    const theirs = data.filter(({ id }) => mayUseModel(who, id));
    return { ...list, data: [...theirs, ...ours.map(toModel)] };
  }

  api.get('/v1/models', { schema: { summary: 'List models', tags: ['Models'] } }, listFor);
  api.get<{ Params: { '*': string } }>(
    '/v1/models/*',
    { schema: { summary: 'Retrieve a model', tags: ['Models'] } },
    async (request) => {
      const id = request.params['*'];
      const found = (await listFor(request)).data.find((model) => model.id === id);
      if (!found) throw modelNotFound(id);
      return found;
    },
  );
}

function toModel(id: string): ModelList['data'][number] {
  return { id, object: 'model', created: 0, owned_by: 'turnout' };
}
