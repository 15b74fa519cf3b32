import { expect, test } from '@jest/globals';
import { shareIn } from './memory.ts';

const info = (used: number, max: number) =>
  `# Memory\r\nused_memory:${used}\r\nused_memory_human:1K\r\nmaxmemory:${max}\r\nmaxmemory_policy:noeviction\r\n`;

test.each([
  ['of its maxmemory', info(50, 100), undefined, 0.5],
  ['of a lower limit of ours', info(50, 100), 80, 0.625],
  ['of a limit of ours alone', info(50, 0), 100, 0.5],
  ['nothing where there is no limit', info(50, 0), undefined, 0],
])('Redis is full by %s', (_what, text, limit, share) => {
  expect(shareIn(text, limit)).toBe(share);
});
