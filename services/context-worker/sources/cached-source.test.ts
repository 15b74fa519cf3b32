import { describe, expect, test } from '@jest/globals';
import { type Cache } from '../../../shared/content/cache/cache.ts';
import { type ChosenPassages } from '../../../shared/contracts/flow.ts';
import { type Document } from '../../../shared/contracts/job-message.ts';
import { retrievalSource } from '../../../shared/platform/config/retrieval-sources.ts';
import { noCache } from '../../../test/harness/no-cache.ts';
import { cachedSource } from './cached-source.ts';
import { type PieceJob, type Request } from './context-source.ts';
import { documentTerms, remoteTerms } from './terms.ts';

const job: PieceJob = {
  jobId: 'job_1',
  user: 'ada',
  groups: [],
  question: 'Which?',
  caching: { lookUp: true, keep: true },
};
const chosen: ChosenPassages = { kind: 'passages', name: 'a', passages: [], leftOut: 0 };
const document: Document = {
  index: 0,
  name: 'a.txt',
  mediaType: 'text/plain',
  version: 'f'.repeat(64),
  content: { kind: 'inline', text: 'A turnout. '.repeat(1_000) },
};
const asked: Request<'document'> = {
  kind: 'document',
  piece: 'document-0',
  budget: 100,
  shareMs: 9,
  document,
};

describe('a piece that is cached', () => {
  test('belongs to its user; a degraded piece is not stored', async () => {
    const keys: unknown[] = [];
    const worth: boolean[] = [];
    const getOrCompute: Cache['getOrCompute'] = async (key, _codec, { compute, signal, keep }) => {
      keys.push(key);
      const value = await compute(signal);
      worth.push(keep?.(value) ?? true);
      return value;
    };
    const results: ChosenPassages[] = [chosen, { ...chosen, degraded: 'upstream_stalled' }];
    const fetch = () => Promise.resolve(results[keys.length - 1] ?? chosen);
    const source = cachedSource(
      { name: 'document', fetch },
      { ...noCache, getOrCompute },
      documentTerms('m'),
    );
    const { signal } = new AbortController();
    for (const expected of results) expect(await source.fetch(asked, job, signal)).toEqual(expected);
    expect(keys[0]).toMatchObject({ kind: 'rag', user: 'ada' });
    expect(keys[1]).toEqual(keys[0]);
    expect(worth).toEqual([true, false]);
  });

  test.each<[string, Partial<Document>, number]>([
    ['fits into the prompt whole', { content: { kind: 'inline', text: 'Short.' } }, 100],
    ['has no version', { version: undefined }, 100],
  ])('a document that %s is not cached', (_what, change, budget) => {
    const request = { ...asked, budget, document: { ...document, ...change } };
    expect(documentTerms('m')(request, job)).toBeUndefined();
  });
});

describe('the cache key of a piece', () => {
  const terms = documentTerms('m')(asked, job);

  test.each<[string, object | undefined]>([
    ['version', documentTerms('m')({ ...asked, document: { ...document, version: 'e'.repeat(64) } }, job)],
    ['file', documentTerms('m')({ ...asked, document: { ...document, fileId: 'file-1' } }, job)],
    ['question', documentTerms('m')(asked, { ...job, question: 'Why?' })],
    ['budget', documentTerms('m')({ ...asked, budget: 200 }, job)],
    ['embedding model', documentTerms(undefined)(asked, job)],
  ])('changes with the %s', (_what, other) => {
    expect(other).toBeDefined();
    expect(other).not.toEqual(terms);
  });

  test('does not depend on the share of the time, the job or the user', () => {
    const other = documentTerms('m')({ ...asked, shareMs: 1 }, { ...job, jobId: 'job_2', user: 'bob' });
    expect(other).toEqual(terms);
  });

  test('changes with the configuration of a retrieval service; an unknown service has none', () => {
    const service = retrievalSource.parse({ name: 'wiki', url: 'https://example.com/search' });
    const remote: Request<'remote'> = {
      kind: 'remote',
      piece: 'source-wiki',
      source: 'wiki',
      budget: 9,
      shareMs: 9,
    };
    const of = (change: object) => remoteTerms([{ ...service, ...change }])(remote, job);
    expect(of({ authorization: 'Bearer other' })).not.toEqual(of({}));
    expect(of({ results: 3 })).not.toEqual(of({}));
    expect(remoteTerms([])(remote, job)).toBeUndefined();
  });
});
