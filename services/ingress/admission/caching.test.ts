import { describe, expect, test } from '@jest/globals';
import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { cachingOf, type SamplingPolicy } from './caching.ts';

const nothing = { noCache: false, noStore: false, maxAgeMs: undefined };
const fingerprint = () => Promise.resolve('a fingerprint');
const request = (sampling: Partial<ChatRequest> = {}): ChatRequest => ({
  model: 'm',
  messages: [{ role: 'user', content: 'Hi' }],
  ...sampling,
});

describe('cache use by a request', () => {
  test.each([
    [{}, undefined, { lookUp: true, keep: true }],
    [{ noCache: true }, undefined, { lookUp: false, keep: true }],
    [{ noStore: true }, undefined, { lookUp: true, keep: false }],
    [{ maxAgeMs: 0 }, undefined, { lookUp: false, keep: true, maxAgeMs: 0 }],
    [{ maxAgeMs: 9 }, true, { lookUp: true, keep: true, maxAgeMs: 9 }],
    [{}, false, { lookUp: true, keep: false }],
    [{}, null, { lookUp: true, keep: true }],
  ])('by Cache-Control %j and store %j: %j', async (said, store, expected) => {
    const rules = { store, policy: 'unasked', fingerprint } as const;
    const caching = await cachingOf(request(), { ...nothing, ...said }, rules);
    expect(caching).toEqual({ ...expected, request: 'a fingerprint' });
  });

  test('no fingerprint is computed if the cache is not used at all', async () => {
    const caching = await cachingOf(request(), { ...nothing, noCache: true, noStore: true }, policyOf('any'));
    expect(caching).toEqual({ lookUp: false, keep: false });
  });

  test.each<[Partial<ChatRequest>, SamplingPolicy[]]>([
    [{}, ['unasked', 'any']],
    [{ top_p: 1 }, ['unasked', 'any']],
    [{ temperature: 0 }, ['fixed', 'unasked', 'any']],
    [{ top_p: 0 }, ['fixed', 'unasked', 'any']],
    [{ seed: 0, temperature: 1 }, ['fixed', 'unasked', 'any']],
    [{ temperature: 0.7 }, ['any']],
    [{ top_p: 0.9 }, ['any']],
    [{ temperature: 0, n: 2 }, ['any']],
  ])('an answer to %j is reused under %j', async (sampling, policies) => {
    const all = ['fixed', 'unasked', 'any'] as const;
    const cachings = await Promise.all(
      all.map((policy) => cachingOf(request(sampling), nothing, policyOf(policy))),
    );
    expect(all.filter((_, at) => cachings[at]?.request !== undefined)).toEqual(policies);
  });
});

function policyOf(policy: SamplingPolicy) {
  return { store: undefined, policy, fingerprint };
}
