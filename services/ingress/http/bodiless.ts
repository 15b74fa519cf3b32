import { type FastifyInstance, type FastifyPluginCallback } from 'fastify';

/** Registers routes that take no body. OpenAI's Python SDK sends `content-type: application/json` on them anyway, with an empty body. */
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
