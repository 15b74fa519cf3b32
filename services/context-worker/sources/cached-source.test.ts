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
  test('belongs to its user; one that is worse than it should be is not kept', async () => {
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
    ['goes whole into the prompt anyway', { content: { kind: 'inline', text: 'Short.' } }, 100],
    ['is of an unknown version', { version: undefined }, 100],
  ])('a document that %s is not looked for', (_what, change, budget) => {
    const request = { ...asked, budget, document: { ...document, ...change } };
    expect(documentTerms('m')(request, job)).toBeUndefined();
  });
});

describe('what a piece depends on', () => {
  const terms = documentTerms('m')(asked, job);

  test.each<[string, object | undefined]>([
    ['version', documentTerms('m')({ ...asked, document: { ...document, version: 'e'.repeat(64) } }, job)],
    ['file', documentTerms('m')({ ...asked, document: { ...document, fileId: 'file-1' } }, job)],
    ['question', documentTerms('m')(asked, { ...job, question: 'Why?' })],
    ['room', documentTerms('m')({ ...asked, budget: 200 }, job)],
    ['model of embeddings', documentTerms(undefined)(asked, job)],
  ])('another %s of a document is another piece', (_what, other) => {
    expect(other).toBeDefined();
    expect(other).not.toEqual(terms);
  });

  test('its share of the time, the job and the user are no part of it', () => {
    const other = documentTerms('m')({ ...asked, shareMs: 1 }, { ...job, jobId: 'job_2', user: 'bob' });
    expect(other).toEqual(terms);
  });

  test('a retrieval service that is set up otherwise is another one; an unknown one has none', () => {
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
