import { describe, expect, test } from '@jest/globals';
import { type ContextPiece } from '../../../shared/contracts/flow.ts';
import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { sortPieces } from './sort-pieces.ts';

const passages = (piece: string, more: object = {}): ContextPiece => ({
  status: 'ready',
  kind: 'passages',
  piece,
  name: piece,
  passages: [],
  leftOut: 0,
  ms: 1,
  ...more,
});
const history: ContextPiece = {
  status: 'ready',
  kind: 'history',
  piece: 'history',
  keep: [0],
  leftOut: 3,
  ms: 1,
};
const failed = (piece: string, code: ErrorCode): ContextPiece => ({
  status: 'failed',
  piece,
  code,
  message: 'The document "a" cannot be read.',
  ms: 7,
});
const expecting = (...pieces: [piece: string, required: boolean][]) => ({
  context: pieces.map(([piece, required]) => ({ piece, required })),
});

describe('sortPieces', () => {
  test('puts the pieces into the order of the job, whatever order they arrived in', () => {
    const job = expecting(['history', false], ['document-0', true], ['source-wiki', false]);
    expect(sortPieces(job, [passages('source-wiki'), history, passages('document-0')])).toMatchObject({
      history,
      passages: [{ piece: 'document-0' }, { piece: 'source-wiki' }],
      degraded: [],
    });
  });

  test.each([
    ['unsupported_document', 'unsupported_document', 'The document "a" cannot be read.'],
    ['source_timeout', 'source_timeout', 'The document "a" cannot be read.'],
    ['store_unavailable', 'context_failed', 'A required document could not be prepared for the model.'],
    ['unreadable_message', 'context_failed', 'A required document could not be prepared for the model.'],
  ] as const)('a required piece that failed with %s fails the job with %s', (code, told, message) => {
    const sort = () => sortPieces(expecting(['document-0', true]), [failed('document-0', code)]);
    expect(sort).toThrow(expect.objectContaining({ code: told, message }));
  });

  test('an optional piece that failed or is missing degrades the answer', () => {
    const job = expecting(['source-a', false], ['source-b', false], ['document-0', true]);
    const pieces = [failed('source-a', 'source_timeout'), passages('document-0')];
    expect(sortPieces(job, pieces)).toMatchObject({
      passages: [{ piece: 'document-0' }],
      degraded: [
        { type: 'degraded', source: 'source-a', code: 'source_timeout', ms: 7 },
        { type: 'degraded', source: 'source-b', code: 'context_failed', ms: 0 },
      ],
    });
  });

  test('a degraded piece is used, and degrades the answer', () => {
    const piece = passages('document-0', { degraded: 'upstream_stalled' });
    expect(sortPieces(expecting(['document-0', true]), [piece])).toMatchObject({
      passages: [{ piece: 'document-0' }],
      degraded: [{ source: 'document-0', code: 'upstream_stalled' }],
    });
  });

  test('a missing required piece fails the job', () => {
    expect(() => sortPieces(expecting(['document-0', true]), [])).toThrow(
      expect.objectContaining({ code: 'context_failed' }),
    );
  });
});
