import { afterEach, describe, expect, test } from '@jest/globals';
import { type RetrievalSource, retrievalSource } from '../../../shared/platform/config/retrieval-sources.ts';
import { type ContextJob, type PieceRequest } from '../../../shared/contracts/flow.ts';
import { newJobId } from '../../../shared/platform/ids.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { countTokens } from '../../../shared/content/documents/tokens.ts';
import {
  type RetrievalBehaviour,
  type RetrievalService,
  startRetrievalService,
} from '../../../test/harness/retrieval-service.ts';
import { until } from '../../../stack/until.ts';
import { createRemoteSource } from './remote-source.ts';

let service: RetrievalService | undefined;
afterEach(async () => {
  await service?.close();
  service = undefined;
});

const QUESTION = 'From which platform?';

/** A service with this behaviour, and a source that calls it. */
async function ground(
  behaviour: RetrievalBehaviour,
  settings: Partial<RetrievalSource> = {},
  groups: string[] = [],
) {
  const started = (service = await startRetrievalService(behaviour));
  const known = retrievalSource.parse({ name: 'wiki', url: started.url, ...settings });
  const source = createRemoteSource({ services: [known], log: silentLogger });
  const fetch = ({ question = QUESTION, budget = 1_000, signal = new AbortController().signal } = {}) => {
    const request: Extract<PieceRequest, { kind: 'remote' }> = {
      kind: 'remote',
      piece: 'source-wiki',
      source: 'wiki',
      budget,
      shareMs: 1_000,
    };
    const job: ContextJob = {
      version: 2,
      jobId: newJobId('', 'u'),
      user: 'ada lovelace',
      groups,
      deadlineAt: Date.now() + 60_000,
      question,
      routedAt: Date.now(),
      pieces: [request],
    };
    return source.fetch(request, job, signal);
  };
  return { asked: started.asked, fetch };
}

describe('a retrieval service', () => {
  test('gets the user id only if it is configured to', async () => {
    const open = await ground({}, { forwardUser: true });
    await open.fetch();
    expect(open.asked[0]?.headers).toMatchObject({ 'x-turnout-user': 'ada%20lovelace' });
    await service?.close();
    const closed = await ground({});
    await closed.fetch();
    expect(closed.asked[0]?.headers).not.toHaveProperty('x-turnout-user');
  });

  test('is not called with an empty question, and a long one is shortened', async () => {
    const { asked, fetch } = await ground({});
    expect(await fetch({ question: ' \n' })).toMatchObject({ passages: [], leftOut: 0 });
    expect(asked).toEqual([]);
    await fetch({ question: 'x'.repeat(10_000) });
    expect(asked[0]?.query).toHaveLength(4_096);
  });

  test('fills its budget with whole passages, best first', async () => {
    const texts = ['Short.', 'A long passage. '.repeat(100), 'Short as well.'];
    const { fetch } = await ground({ passages: texts.map((text) => ({ text })) });
    const fetched = await fetch({ budget: 50 });
    expect(fetched.passages.map(({ text, position }) => [position, text])).toEqual([
      [0, 'Short.'],
      [2, 'Short as well.'],
    ]);
    expect(fetched.leftOut).toBe(1);
    expect(fetched.passages.reduce((sum, { text }) => sum + countTokens(text), 0)).toBeLessThanOrEqual(50);
  });

  test('that answers without end is cut off and fails', async () => {
    const { fetch } = await ground({ broken: { status: 200, body: 'x'.repeat(5 * 1024 * 1024) } });
    await expect(fetch()).rejects.toMatchObject({ code: 'source_failed' });
  });

  test('that keeps failing is not called for a while', async () => {
    const { asked, fetch } = await ground({ broken: { status: 500, body: 'hush' } });
    for (let n = 0; n < 8; n += 1) await expect(fetch()).rejects.toMatchObject({ code: 'source_failed' });
    expect(asked).toHaveLength(5);
  });

  test('that was removed from the configuration fails', async () => {
    const { fetch } = await ground({}, { name: 'other' });
    await expect(fetch()).rejects.toMatchObject({ code: 'source_failed' });
  });

  test('sees its connection close when the piece is aborted', async () => {
    const { asked, fetch } = await ground({ hang: true });
    const share = new AbortController();
    const fetching = fetch({ signal: share.signal });
    const failing = expect(fetching).rejects.toMatchObject({ code: 'source_failed' });
    await until(() => asked.length > 0, { timeoutMs: 5_000, everyMs: 5 });
    share.abort();
    await failing;
    expect(await until(() => asked[0]?.gone.aborted ?? false, { timeoutMs: 5_000, everyMs: 5 })).toBe(true);
  });
});

test('a service with `private: false` is not called on a private address', async () => {
  const { asked, fetch } = await ground({}, { private: false });
  await expect(fetch()).rejects.toMatchObject({
    code: 'source_failed',
    cause: { code: 'webhook_target_refused' },
  });
  expect(asked).toEqual([]);
});

test.each([
  [['staff'], true],
  [['guests'], false],
  [[], false],
])('a service for staff is called for members of %j: %s', async (groups, answers) => {
  const { asked, fetch } = await ground({}, { groups: ['staff'] }, groups);
  const fetched = fetch();
  if (answers) await expect(fetched).resolves.toMatchObject({ passages: [] });
  else await expect(fetched).rejects.toMatchObject({ code: 'source_failed' });
  expect(asked).toHaveLength(answers ? 1 : 0);
});
