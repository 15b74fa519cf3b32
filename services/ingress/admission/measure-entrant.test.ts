import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { measureRequest } from '../../../shared/content/models/measure-request.ts';
import { createMeasureEntrant } from './measure-entrant.ts';
import { type TakenDocument } from '../documents/take-documents.ts';

const CHINESE = '这里的火车不停地从一条轨道开到另一条轨道'.repeat(3_000);

function takenOf(content: string, text = '') {
  const document: TakenDocument = {
    index: 0,
    name: 'd',
    mediaType: 'text/plain',
    version: '',
    content: { kind: 'inline', text },
  };
  const messages = [{ role: 'user' as const, content }];
  return { request: { model: 'm', messages }, documents: text === '' ? [] : [document], question: '' };
}

/** How often the event loop turned while the work was running. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  const watched = { over: false };
  let turns = 0;
  void work.finally(() => (watched.over = true));
  for (; !watched.over; turns += 1) await nextTurn();
  return turns;
}

test('counting a long text does not block the event loop, and gives the same result', async () => {
  const taken = takenOf(CHINESE, CHINESE);
  const measure = createMeasureEntrant()('ada', taken);
  expect(await turnsDuring(measure.exact())).toBeGreaterThan(10);
  expect(await turnsDuring(measure.documentTexts())).toBeGreaterThan(10);
  expect(await measure.exact()).toBe(measureRequest(taken.request).exact());
});

test('a user waits for at most one slice of another user’s text', async () => {
  const measureEntrant = createMeasureEntrant();
  const ended: string[] = [];
  const count = (user: string, text: string) =>
    measureEntrant(user, takenOf(text))
      .exact()
      .then(() => ended.push(user));
  const hog = Promise.all(Array.from({ length: 8 }, () => count('hog', CHINESE)));
  await Promise.all([hog, count('ada', CHINESE.slice(0, 9_000))]);
  expect(ended[0]).toBe('ada');
});

test('a text is counted only once', async () => {
  const measure = createMeasureEntrant()('ada', takenOf(CHINESE));
  await measure.exact();
  expect(await turnsDuring(measure.exact())).toBeLessThan(3);
});
