import { afterEach, expect, test } from '@jest/globals';
import { fastify, type FastifyInstance } from 'fastify';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { installErrorHandling } from '../api/errors.ts';
import { validatorCompiler } from '../http/validation.ts';
import { chatRoute, type ChatRouteDeps } from './route.ts';

let app: FastifyInstance | undefined;

afterEach(() => app?.close());

test('after the cut, a request on an open connection is rejected before its job is admitted', async () => {
  let admitted = 0;
  const admissionService = {
    admit: () => {
      admitted += 1;
      return Promise.reject(new TurnoutError('internal_error'));
    },
  };
  app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  installErrorHandling(app, silentLogger);
  chatRoute(app, {
    admissionService,
    live: {} as ChatRouteDeps['live'], // never used, because no job is admitted
    checkParameters: () => undefined,
    readSelection: ({ model }) => Promise.resolve({ model, assistant: undefined }),
    defaultDeadlineMs: 1_000,
    now: Date.now,
    maxBodyBytes: 1_000,
    caller: () => ({ keyId: 'key_1', user: 'user-1', groups: [], admin: false }),
    cut: AbortSignal.abort(new TurnoutError('shutting_down', { retryAfterS: 1 })),
  });
  const response = await app.inject({
    method: 'POST',
    url: '/v1/chat/completions',
    payload: { model: 'm', messages: [{ role: 'user', content: 'Hello' }] },
  });
  expect(response.statusCode).toBe(503);
  expect(response.json()).toMatchObject({ error: { code: 'shutting_down' } });
  expect(admitted).toBe(0);
});
