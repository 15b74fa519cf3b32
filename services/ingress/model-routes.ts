import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { type Assistant } from '../../shared/assistants/assistant-file.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { type Caller } from './api-keys.ts';
import { assistantModels } from './assistant-wish.ts';
import { type ModelList, type Models } from './models.ts';

interface ModelRoutesDeps {
  models: Pick<Models, 'list'>;
  /** Those that there are now; who may use one sees it among the models. */
  assistants: () => readonly Assistant[];
  caller: (request: FastifyRequest) => Caller;
}

/** `GET /v1/models` and `GET /v1/models/{id}`. */
export function modelRoutes(api: FastifyInstance, { models, assistants, caller }: ModelRoutesDeps): void {
  async function listFor(request: FastifyRequest): Promise<ModelList> {
    const { data, ...list } = await models.list();
    const ours = assistantModels(assistants(), caller(request));
    return { ...list, data: [...data, ...ours.map(toModel)] };
  }

  api.get('/v1/models', { schema: { summary: 'List models', tags: ['Models'] } }, listFor);
  api.get<{ Params: { '*': string } }>(
    '/v1/models/*',
    { schema: { summary: 'Retrieve a model', tags: ['Models'] } },
    async (request) => {
      const id = request.params['*'];
      const found = (await listFor(request)).data.find((model) => model.id === id);
      if (!found)
        throw new TurnoutError('model_not_found', {
          message: `The model '${id}' does not exist.`,
          param: 'model',
        });
      return found;
    },
  );
}

function toModel(id: string): ModelList['data'][number] {
  return { id, object: 'model', created: 0, owned_by: 'turnout' };
}
