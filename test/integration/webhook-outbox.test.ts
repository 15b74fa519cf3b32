import { afterEach, expect, jest, test } from '@jest/globals';
import { until } from '../../stack/until.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { LOCAL, openWebhookSystem, startReceiver } from './webhook-system.ts';

jest.setTimeout(90_000);

let services: RunningServices | undefined;

afterEach(() => services?.stop());

test("if its relayer died, the end of a response reaches its owner's endpoint from the outbox, through real services", async () => {
  const receiver = await startReceiver();
  const system = openWebhookSystem();
  const url = `${receiver.url}/told`;
  await system.registry.register('u', { url, name: 'told', eventTypes: ['response.completed'] });
  const jobId = await system.endedJob('u'); // no process relays its row
  services = await startServices({
    prefix: system.prefix,
    only: ['router', 'llm-worker', 'context-worker'],
    env: LOCAL,
  });
  expect(await until(() => receiver.at('/told').length > 0, { timeoutMs: 30_000, everyMs: 50 })).toBe(true);
  await services.stop();
  expect(receiver.at('/told').map(({ headers }) => headers['webhook-id'])).toEqual([
    jobId.replace('job_', 'evt_'),
  ]);
  expect(await system.redis.xlen(system.keys.outbox(jobId))).toBe(0);
  await system.close();
  await receiver.close();
});
