import { expect, test } from '@jest/globals';
import { auroc, measureQuality } from './quality.ts';
import { toRegistry, toTrial } from './registries.ts';
import { generator } from '../../test/upstream/core/random.ts';
import type { Clinc } from './clinc.ts';

test.each([
  [[2, 3], [0, 1], 1],
  [[0, 1], [2, 3], 0],
  [[1, 1], [1, 1], 0.5],
  [[1, 3], [2], 0.5],
  [[1, 2], [1], 0.75],
])('the area under the ROC curve of %j and %j is %d', (positive, negative, expected) => {
  expect(auroc(positive, negative)).toBe(expected);
});

/** Written for this test. For each intent: examples, then requests in other words than the examples. */
const INTENTS: Record<string, [examples: string[], asked: string[]]> = {
  weather: [
    [
      'will it rain tomorrow',
      'what is the weather in Paris',
      'is it going to snow this weekend',
      'how hot will it be today',
      'do I need an umbrella this afternoon',
    ],
    ['what will the weather be tomorrow', 'will it snow today', 'is it going to rain this afternoon'],
  ],
  money: [
    [
      'transfer 50 dollars to my savings account',
      'what is the balance of my checking account',
      'move money between my accounts',
      'how much money is in my account',
      'send money to my landlord',
    ],
    [
      'what is my savings account balance',
      'transfer money to my checking account',
      'how much money did I send',
    ],
  ],
  music: [
    [
      'play some jazz music',
      'turn the song up',
      'skip this song',
      'which album is this song from',
      'add this song to my playlist',
    ],
    ['play the next song', 'which song is playing', 'play my jazz playlist'],
  ],
  travel: [
    [
      'book a flight to Boston',
      'find me a hotel near the airport',
      'when does my flight leave',
      'reserve a seat on the evening flight',
      'cancel my hotel reservation',
    ],
    ['book a hotel in Boston', 'when does the evening flight leave', 'cancel my flight to Boston'],
  ],
};
const OUTSIDE = [
  'who wrote the odyssey',
  'explain photosynthesis',
  'translate cheese into Welsh',
  'why are flamingos pink',
  'name three prime ministers',
  'define entropy briefly',
];

const queriesOf = (at: 0 | 1): [string, string][] =>
  Object.entries(INTENTS).flatMap(([intent, texts]) =>
    texts[at].map((text): [string, string] => [text, intent]),
  );
const NONE = OUTSIDE.map((text): [string, string] => [text, 'oos']);
const set: Clinc = {
  train: queriesOf(0),
  val: [],
  test: queriesOf(1),
  oos_train: [],
  oos_val: [],
  oos_test: NONE,
};

test('requests for an assistant are distinguished from requests for none', () => {
  const trial = toTrial(
    toRegistry(set, { assistants: 4, examples: 5 }, generator(1)),
    set.test,
    set.oos_test,
  );
  expect([trial.inScope.length, trial.near.length]).toEqual([12, 0]);
  const quality = measureQuality(trial);
  expect(quality.bestIsRight).toBe(1);
  expect(quality.auroc).toBe(1);
  expect(quality.outsideRecall).toBe(1);
  expect(quality.right).toBeGreaterThan(0.85);
  expect(quality.wrong).toBe(0);
  expect(quality.nearRecall).toBeUndefined();
});

test('requests with an intent for which there is no assistant are counted separately', () => {
  const trial = toTrial(
    toRegistry(set, { assistants: 2, examples: 5 }, generator(1)),
    set.test,
    set.oos_test,
  );
  expect([trial.inScope.length, trial.near.length, trial.outside.length]).toEqual([6, 6, 6]);
  const { nearRecall, right, wrong } = measureQuality(trial);
  expect(nearRecall).toBeGreaterThan(0.6);
  expect(right + wrong).toBeLessThanOrEqual(1);
});
