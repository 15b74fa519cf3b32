import { expect, test } from '@jest/globals';
import { createLogger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { createMemoryWatch, diskShareIn, shareIn } from './memory.ts';

const info = (used: number, max: number) =>
  `# Memory\r\nused_memory:${used}\r\nused_memory_human:1K\r\nmaxmemory:${max}\r\nmaxmemory_policy:noeviction\r\n`;

test.each([
  ['maxmemory', info(50, 100), undefined, 0.5],
  ['a lower configured limit', info(50, 100), 80, 0.625],
  ['a configured limit and no maxmemory', info(50, 0), 100, 0.5],
  ['no limit is 0', info(50, 0), undefined, 0],
])('memory usage with %s', (_what, text, limit, share) => {
  expect(shareIn(text, limit)).toBe(share);
});

test.each([
  ['is logged, with what to do, without any limit', info(50, 0), undefined, 1],
  ['is not logged with a configured limit', info(50, 0), 100, 0],
  ['is not logged when Redis has maxmemory', info(50, 100), undefined, 0],
])('a warning of a missing maxmemory %s', async (_what, text, limitBytes, warnings) => {
  const lines: string[] = [];
  const log = createLogger('test', { LOG_LEVEL: 'info' }, { write: (line) => void lines.push(line) });
  const redis = { info: () => Promise.resolve(text) } as unknown as Redis;
  const watch = createMemoryWatch({ redis, limitBytes, log });
  await watch.start();
  await watch.close();
  expect(lines).toHaveLength(warnings);
  for (const line of lines)
    expect(line).toMatch(/has no maxmemory.*set maxmemory in Redis, or REDIS_MAX_BYTES/);
});

test('disk usage is the size of the append-only file relative to its disk, or 0 when the disk is unknown', () => {
  const text = 'aof_current_size:50\r\naof_base_size:10\r\n';
  expect([diskShareIn(text, 100), diskShareIn(text, undefined)]).toEqual([0.5, 0]);
});

test('a nearly full disk and failing disk writes are logged once when they begin and once when they end', async () => {
  const answers = [
    'aof_current_size:85\r\naof_last_bgrewrite_status:err\r\n',
    'aof_current_size:85\r\n',
    'aof_current_size:10\r\n',
  ];
  const lines: string[] = [];
  const log = createLogger('test', { LOG_LEVEL: 'info' }, { write: (line) => void lines.push(line) });
  const told = () => lines.splice(0).map((line) => (JSON.parse(line) as { msg: string }).msg);
  let at = 0;
  const redis = { info: () => Promise.resolve(answers[at]) } as unknown as Redis;
  const watch = createMemoryWatch({ redis, limitBytes: 100, diskBytes: 100, log });
  await watch.start();
  await watch.close();
  expect(watch.share()).toBe(0.85);
  expect(told()).toEqual([
    'The disk of the job Redis is nearly full',
    'The job Redis cannot write its data to its disk',
  ]);
  const next = async (lookedAt: number) => {
    at = lookedAt;
    await watch.start();
    await watch.close();
    return told();
  };
  expect(await next(0)).toEqual([]);
  expect(await next(1)).toEqual(['Over: The job Redis cannot write its data to its disk']);
  expect(await next(2)).toEqual(['Over: The disk of the job Redis is nearly full']);
});
