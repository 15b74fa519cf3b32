import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createSealer, type Owner, ownerTag } from './seal.ts';

const [OLD, NEW] = ['old-server-key-of-32-characters-at-least', 'new-server-key-of-32-characters-at-least'];
const ada: Owner = { user: 'ada', generation: '0a'.repeat(16) };
const bob: Owner = { user: 'bob', generation: '0b'.repeat(16) };
const sealer = createSealer([OLD]);
const name = 'turnout:{cache}:e:tag:id';
const value = Buffer.from('The line is clear.');

describe('the names of entries', () => {
  test('are the same for the same', () => {
    expect(sealer.idsOf(ada, 'answer', 'f')).toEqual(createSealer([OLD]).idsOf({ ...ada }, 'answer', 'f'));
    expect(sealer.tagOf(ada)).toBe(ownerTag({ ...ada }));
  });

  test.each([
    ['user', sealer.idsOf({ ...ada, user: 'adb' }, 'answer', 'f')],
    ['generation', sealer.idsOf({ ...ada, generation: bob.generation }, 'answer', 'f')],
    ['kind', sealer.idsOf(ada, 'rag', 'f')],
    ['fingerprint', sealer.idsOf(ada, 'answer', 'g')],
    ['server key', createSealer([NEW]).idsOf(ada, 'answer', 'f')],
    ['cut between two of these', sealer.idsOf({ ...ada, user: 'ad' }, 'answer', 'af')],
  ])('differ by %s', (_what, ids) => {
    expect(ids).not.toEqual(sealer.idsOf(ada, 'answer', 'f'));
  });

  test('differ for any two that are not the same', () => {
    const part = fc.string({ unit: 'binary', maxLength: 8 });
    const named = fc.record({ user: part, generation: part, fingerprint: part });
    fc.assert(
      fc.property(named, named, (a, b) => {
        const same = JSON.stringify(a) === JSON.stringify(b);
        const [idOfA, idOfB] = [a, b].map((one) => sealer.idsOf(one, 'rag', one.fingerprint)[0]);
        expect(idOfA === idOfB).toBe(same);
        expect(ownerTag(a) === ownerTag(b)).toBe(a.user === b.user && a.generation === b.generation);
      }),
    );
  });

  test('are short, and fit into a key', () => {
    for (const text of [sealer.tagOf(ada), ...sealer.idsOf(ada, 'answer', 'f')])
      expect(text).toMatch(/^[\w-]{22}$/);
  });
});

describe('a sealed value', () => {
  test('opens for its owner under its name, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (bytes) => {
        const sealed = await sealer.seal(ada, name, Buffer.from(bytes));
        const opened = await sealer.open(ada, name, 0, sealed);
        expect(opened && Buffer.from(bytes).equals(opened)).toBe(true);
      }),
    );
  });

  test.each([
    ['another user', { ...ada, user: 'bob' }, name, 0],
    ['another generation', { ...ada, generation: bob.generation }, name, 0],
    ['another name', ada, `${name}2`, 0],
    ['a key that there is not', ada, name, 1],
  ])('does not open for %s', async (_what, owner, under, key) => {
    const sealed = await sealer.seal(ada, name, value);
    expect(await sealer.open(owner, under, key, sealed)).toBeUndefined();
  });

  test('does not open with one bit changed, or cut', async () => {
    const sealed = await sealer.seal(ada, name, value);
    for (let at = 0; at < sealed.length; at++) {
      const damaged = Buffer.from(sealed);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(await sealer.open(ada, name, 0, damaged)).toBeUndefined();
      expect(await sealer.open(ada, name, 0, sealed.subarray(0, at))).toBeUndefined();
    }
  });

  test('is never sealed the same way twice', async () => {
    const seals = await Promise.all(Array.from({ length: 100 }, () => sealer.seal(ada, name, value)));
    expect(new Set(seals.map((sealed) => sealed.subarray(0, 12).toString('hex'))).size).toBe(100);
  });

  test('is compressed where that pays', async () => {
    const text = Buffer.from('The line is clear. '.repeat(200));
    expect((await sealer.seal(ada, name, text)).length).toBeLessThan(text.length / 10);
    const noise = Buffer.from(Array.from({ length: 4_000 }, (_, i) => (i * i * 31 + (i >> 3) * 17) % 251));
    expect((await sealer.seal(ada, name, noise)).length).toBeLessThan(noise.length + 40);
  });
});

describe('server keys rotate', () => {
  const rotated = createSealer([NEW, OLD]);

  test('what the old one sealed is found and opens', async () => {
    const [id] = sealer.idsOf(ada, 'answer', 'f');
    expect(rotated.idsOf(ada, 'answer', 'f')[1]).toBe(id);
    expect(await rotated.open(ada, name, 1, await sealer.seal(ada, name, value))).toEqual(value);
  });

  test('the first one seals, and the owner keeps his tag', async () => {
    const sealed = await rotated.seal(ada, name, value);
    expect(await createSealer([NEW]).open(ada, name, 0, sealed)).toEqual(value);
    expect(await rotated.open(ada, name, 1, sealed)).toBeUndefined();
    expect(rotated.tagOf(ada)).toBe(sealer.tagOf(ada));
  });
});
