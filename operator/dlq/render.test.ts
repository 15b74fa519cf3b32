import { describe, expect, test } from '@jest/globals';
import { type StoredLetter } from '../../shared/jobs/dead-letters.ts';
import { letterToJson, renderLetter, renderList, toListed } from './render.ts';

function letter(more: Partial<StoredLetter> = {}): StoredLetter {
  return {
    origin: 'turnout.jobs/0/7',
    at: Date.UTC(2026, 0, 2),
    reason: 'broken:\n  at version',
    originalId: '',
    key: 'user-1',
    value: '{"a":1}',
    headers: { ce_id: 'x\u001b[2J' },
    own: {},
    ...more,
  };
}

describe('the list', () => {
  test('has one line for each dead letter, whatever it contains, and no payload', () => {
    const lines = renderList([
      toListed(letter()),
      toListed(letter({ origin: 'a\u001b', originalId: 'j\nk', value: 'secret' })),
    ]);
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(/^turnout\.jobs\/0\/7 +2026-01-02T00:00:00\.000Z +7 +- +- +broken: at version$/);
    expect(lines[2]).toContain('a\\u001b');
    expect(lines.join('\n')).not.toContain('secret');
  });
});

describe('a dead letter', () => {
  test('is shown in full: JSON is indented, other text stays as it is', () => {
    expect(renderLetter(letter(), null)).toMatch(/payload \(7 bytes\)\n\{\n {2}"a": 1\n\}$/);
    const long = `no JSON ${'x'.repeat(100_000)}`;
    expect(renderLetter(letter({ value: long }), null).endsWith(`\n${long}`)).toBe(true);
  });
  test('says where a body in the blob store is, and when it is removed', () => {
    const request = { kind: 'blob', name: 'jobs/job_x/request', sha256: '0'.repeat(64), bytes: 300_000 };
    const shown = renderLetter(letter({ value: JSON.stringify({ data: [{ request }] }) }), null);
    expect(shown).toMatch(/is in the blob store[^]*removed after the job's record[^]*"name": "jobs\/job_x/);
    expect(renderLetter(letter({ value: '{"kind":"blob"}' }), null)).not.toContain('blob store');
  });
  test('cannot send control characters to the terminal', () => {
    const shown = renderLetter(letter({ value: '\u001b]0;title\u0007', key: '\u009b' }), 'then');
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    expect(shown).toContain('ce_id: x\\u001b[2J');
  });
  test('has its exact payload in JSON', () => {
    const value = '{"n": 12345678901234567890, "c": "\u009b"}';
    expect(JSON.parse(letterToJson(letter({ value }), null))).toMatchObject({
      payload: value,
      id: 'turnout.jobs/0/7',
      originalId: null,
      replayedAt: null,
    });
  });
});
