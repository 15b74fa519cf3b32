import { expect, test } from '@jest/globals';
import { isInShare } from '../../shared/contracts/flags/bucket.ts';
import { answerFingerprint, requestFingerprint } from '../../shared/content/answers/fingerprint.ts';
import { createEntryCipher } from '../../shared/content/cache/entry-cipher.ts';
import * as queues from '../../shared/jobs/queues/names.ts';
import { newJobId, userDigest, userHash } from '../../shared/platform/ids.ts';
import { topicNames } from '../../shared/platform/kafka/topics.ts';
import { readGolden } from './read.ts';
import { valuesOf } from './values.ts';

const golden = readGolden();

test('shares of users, job ids, hashes, fingerprints and names of cache entries are those of release 0.1.0', () => {
  const today = { isInShare, newJobId, userHash, userDigest, requestFingerprint, answerFingerprint };
  expect(valuesOf({ ...today, cacheNames: createEntryCipher })).toEqual(golden.values);
});

test('topics have the names of release 0.1.0', () => {
  expect(topicNames('golden')).toEqual({
    jobs: 'golden.jobs',
    deadLetters: 'golden.jobs.dlq',
    events: 'golden.events',
    control: 'golden.control',
    controlState: 'golden.control.state',
  });
});

test('queues have the names of release 0.1.0', () => {
  const written = golden['job-redis'].flatMap(
    ({ key }) => /^golden:\{bull\}:(?!fair)(\w+):meta$/.exec(key)?.[1] ?? [],
  );
  const today: string[] = [...queues.QUEUES];
  expect(today).toEqual(['llm', 'context', 'documents', 'sources', 'extract', 'vectors', 'webhooks']);
  expect(today.sort()).toEqual(
    [...new Set(written), ...today.filter((name) => !written.includes(name))].sort(),
  );
  expect(queues.bullPrefix('golden')).toBe('golden:{bull}');
});

test('the phrases of the rollout guide were recorded, and end with their message', () => {
  const phrases = new Set(golden.logs.map(({ msg }) => String(msg).replace(/\d+/, 'N')));
  expect([...phrases].sort()).toEqual(
    [
      'Cache HIT',
      'Cache MISS',
      'Cache cleanup',
      'Cache stats',
      'Feature flag metrics',
      'LITELLM REQUEST COMPLETED',
      'LiteLLM Error',
      'No Azure key available',
      'No Bedrock key available',
      'No Gemini key available',
      'No OpenAI key available',
      'Request completed in N',
      'Safety metrics',
      'Using LiteLLM path',
      'Using legacy path',
    ].sort(),
  );
  for (const line of golden.logs) expect(Object.keys(line).at(-1)).toBe('msg');
});
