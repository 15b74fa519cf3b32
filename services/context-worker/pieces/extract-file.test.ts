import { describe, expect, test } from '@jest/globals';
import { type BlobRef } from '../../../shared/platform/blobs/blob-ref.ts';
import { UnreadableDocument } from '../documents/extract/unreadable-document.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Settlement } from '../../../shared/content/files/file-registry.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { extractFile, type ExtractFileDeps, giveFileUp } from './extract-file.ts';

const fileId = `file-${'0'.repeat(32)}`;
const content: BlobRef = {
  kind: 'blob',
  name: `files/${fileId}/content`,
  sha256: 'a'.repeat(64),
  bytes: 9,
};
const job = { version: 1, fileId, format: 'pdf', content };

/** The dependencies, and the texts and settlements that were stored, in order. */
function ground(changes: Partial<ExtractFileDeps> = {}) {
  const steps: unknown[] = [];
  const deps: ExtractFileDeps = {
    blobs: {
      get: () => Promise.resolve(Buffer.from('%PDF-')),
      put: (name, body) => {
        steps.push([name, String(body)]);
        return Promise.resolve({ ...content, name });
      },
    },
    extractor: { extract: () => Promise.resolve(Buffer.from('Platform 11')) },
    files: {
      standing: () => Promise.resolve('kept'),
      settle: (_id: string, settlement: Settlement) => {
        steps.push(settlement);
        return Promise.resolve(settlement.status);
      },
    },
    log: silentLogger,
    ...changes,
  };
  return { deps, steps };
}

const rejecting = (error: Error) => ({ extract: () => Promise.reject(error) });

describe('an uploaded file', () => {
  test('has its text stored before its record is updated', async () => {
    const { deps, steps } = ground();
    await extractFile(deps, job);
    const name = `files/${fileId}/text`;
    expect(steps).toEqual([[name, 'Platform 11'], { status: 'processed', text: { ...content, name } }]);
  });

  test('that was deleted is not read', async () => {
    const { deps, steps } = ground();
    const files = { ...deps.files, standing: () => Promise.resolve('ending' as const) };
    await extractFile({ ...deps, files }, job);
    expect(steps).toEqual([]);
  });

  test('that is deleted while it is read stops being read', async () => {
    let standing: 'kept' | 'ending' = 'kept';
    const { deps, steps } = ground();
    const extract: ExtractFileDeps['extractor']['extract'] = (_input, signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
        standing = 'ending';
      });
    const files = { ...deps.files, standing: () => Promise.resolve(standing) };
    await extractFile({ ...deps, files, extractor: { extract } }, job);
    expect(steps).toEqual([]);
  });

  test('that cannot be read gets the reason in its record', async () => {
    const { deps, steps } = ground({ extractor: rejecting(new UnreadableDocument('password')) });
    await extractFile(deps, job);
    expect(steps).toEqual([{ status: 'error', details: 'It is protected by a password.' }]);
  });

  test.each([
    ['a store is unavailable', ground({ extractor: rejecting(new TurnoutError('store_unavailable')) })],
    [
      'it has no record yet',
      ground({ files: { standing: () => Promise.resolve('gone'), settle: () => Promise.resolve('') } }),
    ],
    ['an unexpected error occurs', ground({ extractor: rejecting(new Error('the thread ended')) })],
  ])('is retried when %s', async (_what, { deps, steps }) => {
    await expect(extractFile(deps, job)).rejects.toThrow();
    expect(steps.filter((step) => !Array.isArray(step))).toEqual([]);
  });

  test('that the queue failed gets the error in its record; unreadable job data are ignored', async () => {
    const { deps, steps } = ground();
    await giveFileUp(deps, { version: 7 });
    await giveFileUp(deps, job);
    expect(steps).toEqual([{ status: 'error', details: expect.stringMatching(/Upload it again/) }]);
  });
});
