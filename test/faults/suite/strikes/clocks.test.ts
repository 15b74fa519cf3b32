import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { SKEW_MS, skewed } from './clocks.ts';

const SEEN = `JSON.stringify([Date.now(), new Date().getTime(), Date.parse(Date()), new Date(5).getTime(), new Date() instanceof Date])`;

test.each([SKEW_MS, -SKEW_MS])(
  'a process whose clock is %i ms ahead sees the shifted time, and explicit dates do not change',
  (skewMs) => {
    const env = { ...process.env, ...skewed(skewMs) };
    const before = Date.now() + skewMs;
    const seen = JSON.parse(
      execFileSync(process.execPath, ['-p', SEEN], { env, encoding: 'utf8' }),
    ) as unknown[];
    const after = Date.now() + skewMs;
    const isBetween = (time: unknown) => Number(time) >= before - 1_000 && Number(time) <= after;
    expect(seen.slice(0, 3).map(isBetween)).toEqual([true, true, true]); // `Date()` has whole seconds
    expect(seen.slice(3)).toEqual([5, true]);
  },
);
