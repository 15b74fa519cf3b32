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
/** Of two dimensions: what speaks of the east points there. */
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

describe('a document compared by its meaning', () => {
  test('by its stored vectors, where it has them: the question alone is embedded', async () => {
    const { similarity, embedded, requested } = ground({
      fileId: 'file-1',
      find: () => Promise.resolve(stored),
    });
    expect(await similarity.nearest(1)).toEqual({ cosines: new Map([[1, expect.closeTo(1, 2)]]) });
    expect({ embedded, requested }).toEqual({ embedded: [[job.question]], requested: [] });
  });

  test('on the spot, where it has none yet; they are asked for', async () => {
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

  test('vectors of another length, by a model of the same name, are as good as none', async () => {
    const other = packVectors([Float32Array.of(1, 0, 0)], { model: 'm', textBytes: 26 });
    const { similarity } = ground({ fileId: 'file-1', find: () => Promise.resolve(other) });
    expect(await similarity.nearest(5)).toBeUndefined();
  });

  test('one that was not uploaded has no vectors that could be stored', async () => {
    const { similarity, requested } = ground({ find: () => Promise.reject(new Error('must not be asked')) });
    expect(await similarity.nearest(5)).toBeUndefined();
    expect(requested).toEqual([]);
  });
});

describe('what hangs or fails', () => {
  test.each([
    ['embeddings that hang', { fileId: 'file-1', find: () => Promise.resolve(stored), embed: never }],
    ['a store that hangs', { fileId: 'file-1', find: never }],
  ] as [string, Parameters<typeof ground>[0]][])('%s cost no more than their share', async (_what, over) => {
    expect(await ground(over).similarity.nearest(5)).toEqual({ degraded: 'upstream_stalled' });
  });

  test('a comparison that hangs costs no more than its share', async () => {
    expect(await ground({ embed: never }).similarity.compare(passages)).toEqual({
      degraded: 'upstream_stalled',
    });
  });

  test.each([
    ['a typed failure', new TurnoutError('upstream_failed'), 'upstream_failed'],
    ['any other failure', new Error('hush'), 'context_failed'],
  ])('%s is told by its code', async (_what, error, code) => {
    const embed = () => Promise.reject(error);
    expect(await ground({ embed }).similarity.compare(passages)).toEqual({ degraded: code });
  });

  test('a piece that has no time any more is not answered', async () => {
    const piece = new AbortController();
    const { similarity } = ground({ embed: never }, piece.signal);
    const comparing = similarity.compare(passages);
    const late = new TurnoutError('source_timeout');
    piece.abort(late);
    await expect(comparing).rejects.toBe(late);
  });
});
