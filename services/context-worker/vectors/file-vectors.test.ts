import { describe, expect, test } from '@jest/globals';
import { type BlobRef } from '../../../shared/platform/blobs/blob-ref.ts';
import { cutIntoPassages } from '../documents/cut-into-passages.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { createFileVectors } from './file-vectors.ts';

const FILE = 'file-1';
const LONG = Array.from({ length: 400 }, (_, n) => `Sentence number ${n} of a long text.`).join(' ');
const signal = new AbortController().signal;

/** A stored file with this text, and the requests that the embeddings and the queue received. */
function ground(text = LONG, over: { away?: boolean } = {}) {
  const bytes = Buffer.from(text);
  const ref: BlobRef = {
    kind: 'blob',
    name: `files/${FILE}/text`,
    sha256: '0'.repeat(64),
    bytes: bytes.length,
  };
  const stored = new Map<string, Buffer>([[ref.name, bytes]]);
  const embedded: string[] = [];
  const queued: string[] = [];
  const vectorsOf = (model: string) =>
    createFileVectors({
      blobs: {
        get: ({ name }) => Promise.resolve(stored.get(name) ?? Buffer.alloc(0)),
        load: (name) => Promise.resolve(stored.get(name)),
        put: (name, body) => {
          stored.set(name, Buffer.from(body));
          return Promise.resolve({ ...ref, name });
        },
      },
      embeddings: {
        model,
        embed: (texts) => {
          embedded.push(...texts);
          return Promise.resolve(texts.map((_, at) => Float32Array.of(Math.cos(at), Math.sin(at))));
        },
      },
      queue: {
        add: ({ fileId }) => (
          queued.push(fileId),
          over.away ? Promise.reject(new Error('away')) : Promise.resolve()
        ),
      },
      wholeTokens: 500,
      log: silentLogger,
    });
  return { ref, stored, embedded, queued, vectorsOf };
}

describe('the vectors of a file', () => {
  test('are stored for each passage, and found again', async () => {
    const { ref, embedded, vectorsOf } = ground();
    const vectors = vectorsOf('m');
    expect(await vectors.find(FILE, ref.bytes)).toBeUndefined();
    await vectors.store({ version: 1, fileId: FILE, text: ref }, signal);
    expect(embedded).toEqual(cutIntoPassages(LONG).map((passage) => passage.text));
    expect(await vectors.find(FILE, ref.bytes)).toMatchObject({ passages: embedded.length, dimensions: 2 });
  });

  test('belong to one model and one text; damaged vectors are ignored', async () => {
    const { ref, stored, vectorsOf } = ground();
    await vectorsOf('m').store({ version: 1, fileId: FILE, text: ref }, signal);
    expect(await vectorsOf('other').find(FILE, ref.bytes)).toBeUndefined();
    expect(await vectorsOf('m').find(FILE, ref.bytes + 1)).toBeUndefined();
    const name = `files/${FILE}/vectors`;
    stored.set(name, stored.get(name)?.subarray(0, -1) ?? Buffer.alloc(0));
    expect(await vectorsOf('m').find(FILE, ref.bytes)).toBeUndefined();
  });

  test('are not made for a text that fits whole', async () => {
    const { ref, stored, embedded, vectorsOf } = ground('A short text.');
    await vectorsOf('m').store({ version: 1, fileId: FILE, text: ref }, signal);
    expect({ embedded, names: [...stored.keys()] }).toEqual({ embedded: [], names: [ref.name] });
  });

  test.each([
    ['as short as the budget', 500, []],
    ['longer than the budget', 501, [FILE]],
    ['of 4 MB', 4 * 1024 * 1024, [FILE]],
    ['larger than 4 MB', 4 * 1024 * 1024 + 1, []],
  ])('of a text that is %s are requested only if they are needed', (_what, bytes, expected) => {
    const { ref, queued, vectorsOf } = ground();
    vectorsOf('m').request(FILE, { ...ref, bytes });
    expect(queued).toEqual(expected);
  });

  test('that cannot be requested now do not fail the caller', async () => {
    const { ref, queued, vectorsOf } = ground(LONG, { away: true });
    vectorsOf('m').request(FILE, ref);
    await new Promise(setImmediate);
    expect(queued).toEqual([FILE]);
  });
});
