import { type FastifyInstance } from 'fastify';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { type Models } from './models.ts';

/** `GET /v1/models` and `GET /v1/models/{id}`. */
export function modelRoutes(api: FastifyInstance, models: Models): void {
  api.get('/v1/models', { schema: { summary: 'List models', tags: ['Models'] } }, () => models.list());
  api.get<{ Params: { '*': string } }>(
    '/v1/models/*',
    { schema: { summary: 'Retrieve a model', tags: ['Models'] } },
    async (request) => {
      const id = request.params['*'];
      const found = (await models.list()).data.find((model) => model.id === id);
      if (!found)
        throw new TurnoutError('model_not_found', {
          message: `The model '${id}' does not exist.`,
          param: 'model',
        });
      return found;
    },
  );
}
