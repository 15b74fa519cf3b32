import { describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { newSecret } from '../../../shared/jobs/webhooks/secrets.ts';
import { sampleEvent } from '../../../shared/jobs/webhooks/event.ts';
import { signedHeaders } from './sign.ts';

const client = new OpenAI({ apiKey: 'none' });
const [secret, oldSecret] = [newSecret(), newSecret()];
const event = sampleEvent('response.completed', Date.now());
const body = JSON.stringify(event);

describe("OpenAI's SDK", () => {
  test('accepts an event that was just signed', async () => {
    const headers = signedHeaders(event.id, body, [secret], new Date());
    expect(await client.webhooks.unwrap(body, headers, secret)).toEqual(event);
  });

  test('accepts an event by either secret while two are valid', async () => {
    const headers = signedHeaders(event.id, body, [secret, oldSecret], new Date());
    expect(headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/);
    expect(await client.webhooks.unwrap(body, headers, secret)).toEqual(event);
    expect(await client.webhooks.unwrap(body, headers, oldSecret)).toEqual(event);
  });

  test.each([
    ['another secret', { secret: newSecret() }],
    ['another body', { body: body.replace('completed', 'cancelled') }],
    ['another id', { headers: { 'webhook-id': 'evt_other' } }],
    ['a signature that is ten minutes old', { at: new Date(Date.now() - 600_000) }],
  ])('rejects %s', async (_what, changes: object) => {
    const given = { secret, body, at: new Date(), headers: {}, ...changes };
    const headers = { ...signedHeaders(event.id, body, [secret], given.at), ...given.headers };
    await expect(client.webhooks.unwrap(given.body, headers, given.secret)).rejects.toThrow();
  });
});
