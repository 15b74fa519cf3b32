import { describe, expect, test } from '@jest/globals';
import {
  DEFAULT_KNOBS,
  extractDirectives,
  KnobError,
  knobsForAttempt,
  parseKnobSettings,
  parseKnobText,
  resolveKnobs,
} from './knobs.ts';

describe('knobs as text', () => {
  test.each([
    ['', {}],
    ['ttft=200;tps=50', { ttft: 200, tps: 50 }],
    [' ttft = 200 , tps=0.5 ;', { ttft: 200, tps: 0.5 }],
    ['fail=429; retry-after=2; fail_times=1', { fail: 429, retryAfter: 2, failTimes: 1 }],
    ['FAILTIMES=3', { failTimes: 3 }],
    ['hang', { hang: true }],
    ['hang=false; cut=off', { hang: false, cut: null }],
    ['continue=refuse', { continue: 'refuse' }],
  ])('%j', (text, expected) => {
    expect(parseKnobText(text)).toEqual(expected);
  });

  test.each([
    ['ttft=abc', /ttft: must be a whole number from 0 to 3600000/],
    ['ttft=', /ttft/],
    ['ttft=-1', /ttft/],
    ['tokens=0', /tokens: must be a whole number from 1 .*or off/],
    ['fail=200', /fail: .*400 to 599/],
    ['hang=perhaps', /hang: must be true or false/],
    ['jitter=2', /jitter/],
    ['continue=later', /continue: must be one of continue, quoted, tagged, bare, same/],
    ['speed=3; colour=red', /"speed", "colour": no such knob/],
    ['ttft=x; speed=3', /ttft.*"speed"/],
  ])('%j is refused by the name of the knob', (text, message) => {
    expect(() => parseKnobText(text)).toThrow(KnobError);
    expect(() => parseKnobText(text)).toThrow(message);
  });
});

test('a body may give knobs as numbers, booleans or strings', () => {
  expect(parseKnobSettings({ ttft: 5, hang: true, tps: '10' })).toEqual({ ttft: 5, hang: true, tps: 10 });
  expect(() => parseKnobSettings({ ttft: null })).toThrow(/ttft/);
});

test.each([
  ['hello [[sim: ttft=1]]', 'hello', [' ttft=1']],
  ['[[sim: cut=1]] hello [[SIM: cut=2]] world', 'hello world', [' cut=1', ' cut=2']],
  ['no [[directive]] here ', 'no [[directive]] here ', []],
])('directives are removed from %j', (text, rest, directives) => {
  expect(extractDirectives(text)).toEqual({ text: rest, directives });
});

test('the more specific layer wins, and off clears what a more general one set', () => {
  expect(resolveKnobs({ fail: 500, ttft: 10 }, { fail: null })).toEqual({
    ...DEFAULT_KNOBS,
    ttft: 10,
    fail: null,
  });
});

test('failTimes limits faults to the first calls of a job; the pace stays', () => {
  const knobs = resolveKnobs({ cut: 5, fail: 500, hang: true, ttft: 7, failTimes: 2 });
  expect(knobsForAttempt(knobs, 2)).toEqual(knobs);
  expect(knobsForAttempt(knobs, 3)).toMatchObject({ cut: null, fail: null, hang: false, ttft: 7 });
});
