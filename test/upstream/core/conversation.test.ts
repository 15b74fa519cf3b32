import { describe, expect, test } from '@jest/globals';
import { remainder, splitContinuation, type Turn } from './conversation.ts';

const turn = (role: Turn['role'], text: string): Turn => ({
  role,
  text,
  toolCalls: [],
  toolCallId: null,
  attachments: 0,
});
const question = turn('user', 'What is a turnout?');

describe('a partial answer is recognized', () => {
  test('with the words that its continuation must begin with', () => {
    const request = 'It was interrupted. Continue.\n<last_words>a turn</last_words>';
    const turns = [question, turn('assistant', 'It is a turn'), turn('user', request)];
    expect(splitContinuation(turns)).toMatchObject({ partial: 'It is a turn', lead: 'a turn' });
  });

  test.each<[string, Turn[], string, string]>([
    ['none', [question], 'none', ''],
    ['a trailing assistant message', [question, turn('assistant', 'A turnout')], 'prefill', 'A turnout'],
    ['an empty assistant message is no partial answer', [question, turn('assistant', '')], 'none', ''],
    ...[
      'Continue the partial answer above.',
      'Please continue exactly where you left off, without repeating anything.',
      '[Continue your answer: it was cut off.]',
      'Resume the interrupted answer.',
      'Your previous answer was interrupted. Continue it from its last character.',
    ].map((text): [string, Turn[], string, string] => [
      text,
      [question, turn('assistant', 'A turnout '), turn('user', text)],
      'request',
      'A turnout ',
    ]),
    [
      'a partial answer inside the request',
      [question, turn('user', 'Continue the partial answer.\n<partial>A turn</partial>')],
      'request',
      'A turn',
    ],
    [
      'stacked requests',
      [
        question,
        turn('assistant', 'A '),
        turn('user', 'Continue exactly.'),
        turn('assistant', 'turn'),
        turn('user', 'Continue exactly.'),
      ],
      'request',
      'A turn',
    ],
  ])('%s', (_name, turns, continuation, partial) => {
    const split = splitContinuation(turns);
    expect(split).toMatchObject({ continuation, partial });
    if (continuation !== 'none') expect(split.turns).toEqual([question]);
  });

  test.each(['continue', 'Continue the story.', 'Please go on about trains.'])(
    '%j is a new question, not a request to continue',
    (text) => {
      const turns = [question, turn('assistant', 'A turnout.'), turn('user', text)];
      expect(splitContinuation(turns)).toEqual({ turns, partial: '', continuation: 'none', lead: '' });
    },
  );
});

test.each([
  ['one two three', 'one two', ' three'],
  ['one two three', 'one t', 'wo three'],
  ['one two three', 'one ', 'two three'],
  ['one two three', 'one  \n', 'two three'],
  ['one two three', '\none\n', ' two three'],
  ['one two three', 'one two three', ''],
  ['one two three', 'another', 'one two three'],
  ['one two three', '', 'one two three'],
])('the remainder of %j after %j is %j', (whole, partial, rest) => {
  expect(remainder(whole, partial)).toBe(rest);
});
