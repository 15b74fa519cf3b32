import { type FastifyInstance, type FastifyPluginCallback } from 'fastify';

/** Routes that take no body. OpenAI's Python SDK says `content-type: application/json` all the same, and then sends nothing. */
export function bodiless(routes: (api: FastifyInstance) => void): FastifyPluginCallback {
  return (api, _options, done) => {
    const parse = api.getDefaultJsonParser('error', 'error');
    api.removeContentTypeParser('application/json');
    api.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, parsed) => {
      if (body === '') parsed(null);
      else void parse(request, String(body), parsed);
    });
    routes(api);
    done();
  };
}
