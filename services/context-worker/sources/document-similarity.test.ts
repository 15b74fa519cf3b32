import { describe, expect, test } from '@jest/globals';
import { packVectors } from '../documents/passage-vectors.ts';
import { type Embeddings } from '../embeddings/embeddings.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { noCache } from '../../../test/harness/no-cache.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { type FileVectors } from '../vectors/file-vectors.ts';
import { createDocumentSimilarities } from './document-similarity.ts';

const never = <T>() => new Promise<T>(() => undefined);
const EAST = Float32Array.of(1, 0);
const NORTH = Float32Array.of(0, 1);
/** A two-dimensional vector: texts about the east point east, all others north. */
const toVector = (text: string) => (text.includes('east') ? EAST : NORTH);
const passages = ['To the north.', 'To the east.'].map((text, position) => ({
  text,
  position,
  start: 0,
  end: text.length,
  heading: '',
}));
const stored = packVectors([NORTH, EAST], { model: 'm', textBytes: 26 });
const text = { kind: 'blob', name: 'files/file-1/text', sha256: '0'.repeat(64), bytes: 26 } as const;
const job = { jobId: 'job_1', user: 'u', groups: [], question: 'What lies in the east?' };

function ground(
  over: { embed?: Embeddings['embed']; find?: FileVectors['find']; fileId?: string } = {},
  piece = new AbortController().signal,
) {
  const requested: string[] = [];
  const embedded: string[][] = [];
  const embed: Embeddings['embed'] = (texts) => Promise.resolve(texts.map(toVector));
  const similarities = createDocumentSimilarities({
    embeddings: {
      model: 'm',
      embed: (texts, call) => (embedded.push([...texts]), (over.embed ?? embed)(texts, call)),
    },
    vectors: {
      find: over.find ?? (() => Promise.resolve(undefined)),
      request: (fileId) => void requested.push(fileId),
    },
    cache: noCache,
    timeoutMs: 40,
    log: silentLogger,
  });
  const { fileId } = over;
  return { requested, embedded, similarity: similarities.of({ fileId, text, textBytes: 26 }, job, piece) };
}

describe('a document is compared by meaning', () => {
  test('with its stored vectors, if it has them: only the question is embedded', async () => {
    const { similarity, embedded, requested } = ground({
      fileId: 'file-1',
      find: () => Promise.resolve(stored),
    });
    expect(await similarity.nearest(1)).toEqual({ cosines: new Map([[1, expect.closeTo(1, 2)]]) });
    expect({ embedded, requested }).toEqual({ embedded: [[job.question]], requested: [] });
  });

  test('with new embeddings while it has no stored vectors, which are requested', async () => {
    const { similarity, requested } = ground({ fileId: 'file-1' });
    expect(await similarity.nearest(5)).toBeUndefined();
    expect(await similarity.compare(passages)).toEqual({
      cosines: new Map([
        [0, 0],
        [1, 1],
      ]),
    });
    expect(requested).toEqual(['file-1']);
  });

  test('without its stored vectors if they have another length, from a model of the same name', async () => {
    const other = packVectors([Float32Array.of(1, 0, 0)], { model: 'm', textBytes: 26 });
    const { similarity } = ground({ fileId: 'file-1', find: () => Promise.resolve(other) });
    expect(await similarity.nearest(5)).toBeUndefined();
  });

  test('without stored vectors if it was not uploaded, and none are requested', async () => {
    const { similarity, requested } = ground({ find: () => Promise.reject(new Error('must not be asked')) });
    expect(await similarity.nearest(5)).toBeUndefined();
    expect(requested).toEqual([]);
  });
});

describe('a failure or a hang', () => {
  test.each([
    ['the embeddings', { fileId: 'file-1', find: () => Promise.resolve(stored), embed: never }],
    ['the store', { fileId: 'file-1', find: never }],
  ] as [string, Parameters<typeof ground>[0]][])(
    'of %s costs no more time than the timeout',
    async (_what, over) => {
      expect(await ground(over).similarity.nearest(5)).toEqual({ degraded: 'upstream_stalled' });
    },
  );

  test('of a comparison costs no more time than the timeout', async () => {
    expect(await ground({ embed: never }).similarity.compare(passages)).toEqual({
      degraded: 'upstream_stalled',
    });
  });

  test.each([
    ['with a typed error', new TurnoutError('upstream_failed'), 'upstream_failed'],
    ['with any other error', new Error('hush'), 'context_failed'],
  ])('%s is reported by its code', async (_what, error, code) => {
    const embed = () => Promise.reject(error);
    expect(await ground({ embed }).similarity.compare(passages)).toEqual({ degraded: code });
  });

  test('that outlasts its piece rejects with the reason of the piece signal', async () => {
    const piece = new AbortController();
    const { similarity } = ground({ embed: never }, piece.signal);
    const comparing = similarity.compare(passages);
    const late = new TurnoutError('source_timeout');
    piece.abort(late);
    await expect(comparing).rejects.toBe(late);
  });
});
