import { describe, expect, test } from '@jest/globals';
import { type PassagesPiece } from '../../../shared/contracts/flow.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { citationsOf, createCiter } from './citations.ts';

const trains = 'The night train to Ostheim leaves from platform 11 at 23:40.';
const lockers = 'Lockers at Ostheim station cost 4 crowns for each day.';

function document(index: number, texts: string[], more: Partial<PassagesPiece> = {}): PassagesPiece {
  return {
    status: 'ready',
    kind: 'passages',
    piece: `document-${index}`,
    name: `${index}.md`,
    passages: texts.map((text, position) => ({ text, position, score: 1 })),
    leftOut: 0,
    ms: 1,
    ...more,
  };
}

const pieces = [document(0, ['Nothing of interest.', trains], { fileId: 'file-1' }), document(1, [lockers])];

describe('citationsOf', () => {
  test('a sentence cites the passage that contains its words, with its position in the text', () => {
    const text = `As asked: yes.\n\n${trains} Anything else?`;
    expect(citationsOf(text, pieces)).toEqual([
      {
        source: 'document-0',
        position: 1,
        name: '0.md',
        fileId: 'file-1',
        start: text.indexOf('The night'),
        end: text.indexOf('23:40.') + 6,
      },
    ]);
  });

  test('each sentence gets its own citation; adjacent sentences on the same passage share one', () => {
    const text = `Platform 11 is where the night train leaves. It leaves at 23:40, the night train to Ostheim. ${lockers}`;
    const found = citationsOf(text, pieces);
    expect(found.map(({ source, position }) => [source, position])).toEqual([
      ['document-0', 1],
      ['document-1', 0],
    ]);
    expect(text.slice(found[0]?.start, found[0]?.end)).toMatch(/^Platform 11.*Ostheim\.$/);
  });

  test.each([
    ['words of its own', 'You may board late in the evening, on the far side of the building.'],
    ['a few common words', 'The train leaves.'],
    [
      'half of its words from a passage',
      'The night train brings eleven sleepy musicians home through heavy snow.',
    ],
    ['no words', ''],
  ])('a sentence with %s is not cited', (_what, text) => {
    expect(citationsOf(text, pieces)).toEqual([]);
  });

  test('of passages that match equally well, the first is cited', () => {
    const twice = [document(0, [trains]), document(1, [trains])];
    expect(citationsOf(trains, twice)).toMatchObject([{ source: 'document-0' }]);
  });

  test('a passage of a retrieval service is cited with its own title and URL', () => {
    const from = { title: 'Lockers', url: 'https://wiki.example.org/lockers' };
    const wiki = document(0, [], {
      piece: 'source-wiki',
      name: 'wiki',
      passages: [{ text: lockers, position: 3, score: 1, from }],
    });
    expect(citationsOf(lockers, [wiki])).toMatchObject([
      { source: 'source-wiki', position: 3, name: 'Lockers', url: from.url },
    ]);
  });

  test('text in a language without spaces is cited as well', () => {
    const text = '夜行列車は十一番線から出発します。';
    expect(citationsOf(text, [document(0, [text])])).toHaveLength(1);
  });
});

describe('createCiter', () => {
  const text = (delta: string, choice = 0): JobEvent => ({ type: 'text', choice, delta });
  const end = (choice = 0): JobEvent => ({ type: 'choice_end', choice, reason: 'stop' });

  test('the citations of a choice come right before its end', () => {
    const cite = createCiter(pieces, []);
    expect(cite([text(trains.slice(0, 20))]).map(({ type }) => type)).toEqual(['text']);
    const events = cite([text(trains.slice(20)), text(lockers, 1), end(), end(1)]);
    expect(events.map((event) => [event.type, 'choice' in event && event.choice])).toEqual([
      ['text', 0],
      ['text', 1],
      ['citation', 0],
      ['choice_end', 0],
      ['citation', 1],
      ['choice_end', 1],
    ]);
  });

  test('a long answer is searched in slices as it streams, with the same result', () => {
    const whole = Array.from({ length: 400 }, (_, n) => `${trains} ${n % 3 ? lockers : 'So be it.'}\n`).join(
      '',
    );
    const cite = createCiter(pieces, [text(whole.slice(0, 10_000))]);
    const deltas = whole.slice(10_000).match(/.{1,700}/gs) ?? [];
    const events = [...deltas.map((delta) => text(delta)), end()].flatMap((event) => cite([event]));
    const found = events.filter(({ type }) => type === 'citation');
    expect(found).toEqual(citationsOf(whole, pieces).map((one) => ({ type: 'citation', choice: 0, ...one })));
    expect(found.length).toBeGreaterThan(400);
  });

  test('a continued answer is cited as a whole', () => {
    const cite = createCiter(pieces, [text(trains.slice(0, 30))]);
    expect(cite([text(trains.slice(30)), end()])).toMatchObject([
      { type: 'text' },
      { type: 'citation', start: 0, end: trains.length },
      { type: 'choice_end' },
    ]);
  });

  test('without passages the events pass through unchanged', () => {
    expect(createCiter([], [])([text(trains), end()])).toEqual([text(trains), end()]);
  });
});
