import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type RequestRef } from '../../../shared/contracts/job-message.ts';
import { createHistorySource, createHistoryThreads } from './history-source.ts';

let pool: ReturnType<typeof createHistoryThreads>;

beforeEach(() => {
  pool = createHistoryThreads();
});
afterEach(() => pool.close());

const request = {
  model: 'm',
  messages: Array.from({ length: 60 }, (_, n) => ({
    role: 'user' as const,
    content: `${n} ${'字'.repeat(2_000)}`,
  })),
};
const bytes = Buffer.from(JSON.stringify(request));
const limits = { of: () => Promise.resolve({ contextWindow: 20_000, prefill: false }) };
const job = { jobId: 'j', user: 'ada', groups: [], question: 'Why?', caching: undefined };
const claim: RequestRef = { kind: 'blob', name: 'n', bytes: bytes.byteLength, sha256: 'a'.repeat(64) };

function choose(ref: RequestRef, get: () => Promise<Buffer>) {
  const source = createHistorySource({ blobs: { get }, limits, pool });
  const piece = {
    kind: 'history',
    piece: 'history',
    model: 'm',
    request: ref,
    beside: 0,
    shareMs: 1,
  } as const;
  return source.fetch(piece, job, new AbortController().signal);
}

test('choosing messages of a large request does not block the event loop and gives the same result', async () => {
  let turns = 0;
  let counting: NodeJS.Immediate | undefined;
  const count = () => {
    turns += 1;
    counting = setImmediate(count);
  };
  const chosen = await choose(claim, () => {
    counting = setImmediate(count);
    return Promise.resolve(bytes);
  });
  clearImmediate(counting);
  expect(turns).toBeGreaterThan(0);
  expect(chosen).toEqual(
    await choose({ kind: 'inline', request }, () => Promise.reject(new Error('no blob'))),
  );
  expect(chosen.leftOut).toBeGreaterThan(0);
});
