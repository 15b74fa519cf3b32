import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createServer } from 'node:net';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jsonLinesOf, linesOf, turnoutCommand } from '../harness/turnout-cli.ts';
import { type DlqSystem, openDlqSystem } from './dlq-system.ts';

/** Each run of the command line is a process that joins a consumer group. */
jest.setTimeout(60_000);

let system: DlqSystem;

describe('turnout dlq', () => {
  beforeEach(async () => {
    system = await openDlqSystem();
  });
  afterEach(() => system.close());

  test('says that there are no dead letters', async () => {
    expect(await system.dlq('list')).toMatchObject({ code: 0, out: 'There are no dead letters.\n' });
    expect(await system.dlq('list', '--json')).toMatchObject({ code: 0, out: '' });
    expect(await system.dlq('replay', '--all')).toMatchObject({
      code: 0,
      out: '',
      err: 'No dead letters to replay.\n',
    });
  });

  test('lists each dead letter once, the newest last, and filters', async () => {
    const first = await system.publish('{', { offset: 1n, reason: 'broken: one' });
    await system.publish('{', { offset: 1n, reason: 'broken: one' }); // as from a router that died after publishing it
    const second = await system.publish('{ünïcode', {
      offset: 2n,
      reason: 'broken: two\n\u001b[2J',
      id: 'job_x',
    });
    const listed = jsonLinesOf(await system.dlq('list', '--json'));
    expect(listed).toMatchObject([
      { id: first, reason: 'broken: one', originalId: 'no-job', bytes: 1, replayedAt: null },
      { id: second, reason: 'broken: two\n\u001b[2J', originalId: 'job_x', bytes: 10, replayedAt: null },
    ]);
    const table = linesOf(await system.dlq('list'));
    expect(table).toHaveLength(3);
    expect(table[2]).toMatch(/broken: two \\u001b\[2J$/);
    expect(jsonLinesOf(await system.dlq('list', '--json', '--reason', 'ONE'))).toMatchObject([{ id: first }]);
    expect(jsonLinesOf(await system.dlq('list', '--json', '--limit', '1'))).toMatchObject([{ id: second }]);
    expect((await system.dlq('list', '--reason', 'three')).out).toMatch(
      /no dead letters whose reason contains "three"/,
    );
  });

  test('shows one completely: reason, origin, headers and the whole payload', async () => {
    const payload = JSON.stringify({ long: 'x'.repeat(500_000), bad: '\u001b[2J', n: 1 });
    const id = await system.publish(payload, { offset: 7n, id: 'job_x' });
    const shown = await system.dlq('show', id);
    expect(shown.code).toBe(0);
    for (const part of [id, 'the message is not valid JSON', 'job_x', 'x-own: ä', '"n": 1', '\\u001b[2J'])
      expect(shown.out).toContain(part);
    expect(shown.out).not.toContain('\u001b');
    expect(shown.out).toContain('x'.repeat(500_000));
    const json = JSON.parse((await system.dlq('show', id, '--json')).out) as Record<string, unknown>;
    expect(json).toMatchObject({ id, payload, key: 'user-1', headers: { ce_id: 'job_x', 'x-own': 'ä' } });
  });

  test('reports an unknown dead letter', async () => {
    await system.publish('{', { offset: 1n });
    const shown = await system.dlq('show', 'x.jobs/0/9');
    expect(shown).toMatchObject({ code: 1, out: '' });
    expect(shown.err).toMatch(/No dead letter has the id x\.jobs\/0\/9/);
    const replayed = await system.dlq('replay', 'x.jobs/0/9');
    expect(replayed.code).toBe(1);
    expect(replayed.out).toMatch(/^x\.jobs\/0\/9 {2}unknown/);
  });

  test('exits with 2 for wrong usage or settings, and not with the code of a failure', async () => {
    for (const args of [['list', '--limit', '0'], ['replay'], ['replay', 'x', '--all'], ['x']]) {
      expect((await system.dlq(...args)).code).toBe(2);
    }
    const settings = { KAFKA_BROKERS: 'x', REDIS_URL: 'y' };
    const wrong = await system.run(['dlq', 'list'], { env: settings });
    expect(wrong.code).toBe(2);
    expect(wrong.err).toMatch(/KAFKA_BROKERS[^]*REDIS_URL/);
    const half = await system.run(['dlq', 'list'], { env: { REDIS_URL: '' } });
    expect(half.code).toBe(2);
    expect(half.err).toContain('the environment sets KAFKA_BROKERS but not REDIS_URL');
    expect(await system.run(['--help'], { env: settings })).toMatchObject({ code: 0, err: '' });
  });

  describe('runs', () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'turnout-bin-'));
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    test('through a symbolic link from any folder', async () => {
      const command = join(folder, 'turnout');
      symlinkSync(turnoutCommand, command);
      expect(await system.run(['dlq', 'list'], { command })).toMatchObject({ code: 0 });
    });

    test('not without an installation, and says how to install', async () => {
      mkdirSync(join(folder, 'bin'));
      const command = join(folder, 'bin', 'turnout');
      copyFileSync(turnoutCommand, command);
      const result = await system.run(['dlq', 'list'], { command });
      expect(result).toMatchObject({ code: 1, out: '' });
      expect(result.err).toMatch(/not installed: run `make up`/);
    });
  });

  describe('names the unreachable server:', () => {
    test('Kafka, if nothing listens on its port', async () => {
      const result = await system.run(['dlq', 'list'], { env: { KAFKA_BROKERS: '127.0.0.1:1' } });
      expect(result).toMatchObject({ code: 1, out: '' });
      expect(result.err).toMatch(/^Kafka at 127\.0\.0\.1:1: .*\n`make status`/);
    });

    test('Kafka, if it accepts the connection and never answers', async () => {
      const mute = createServer((socket) => void socket.resume().on('error', () => undefined));
      await new Promise<void>((resolve) => void mute.listen(0, '127.0.0.1', resolve));
      const { port } = mute.address() as { port: number };
      const result = await system.run(['dlq', 'list'], { env: { KAFKA_BROKERS: `127.0.0.1:${port}` } });
      expect(result).toMatchObject({ code: 1, out: '' });
      expect(result.err).toContain(`Kafka at 127.0.0.1:${port}: `);
      await new Promise((resolve) => void mute.close(resolve));
    });

    test('Redis', async () => {
      await system.publish('{');
      const result = await system.run(['dlq', 'list'], { env: { REDIS_URL: 'redis://u:hush@127.0.0.1:1' } });
      expect(result.code).toBe(1);
      expect(result.err).toContain('Redis at 127.0.0.1:1: ');
      expect(result.err).not.toContain('hush');
    });

    test('Kafka, if it has no such topic', async () => {
      const result = await system.run(['dlq', 'list'], { env: { TOPIC_PREFIX: 'nobody' } });
      expect(result.code).toBe(1);
      expect(result.err).toContain('nobody.jobs.dlq');
    });
  });
});
