import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { until } from '../../../stack/until.ts';
import { createLogger, type Logger } from './logger.ts';

/** The lines that the logger writes. */
function written(write: (log: Logger) => void, level: 'info' | 'debug' = 'info'): string[] {
  const lines: string[] = [];
  write(createLogger('test', { LOG_LEVEL: level }, { write: (line) => void lines.push(line) }));
  return lines;
}

function fieldsOf(write: (log: Logger) => void): Record<string, unknown> {
  return JSON.parse(written(write)[0] ?? '') as Record<string, unknown>;
}

describe('a log line', () => {
  test('is JSON with level, time, service and process, and the message last', () => {
    const fields = fieldsOf((log) => log.info({ path: 'litellm', ms: 12 }, 'Something happened'));
    expect(Object.keys(fields)).toEqual(['level', 'time', 'service', 'pid', 'path', 'ms', 'msg']);
    expect(fields).toMatchObject({ level: 'info', service: 'test', msg: 'Something happened' });
    expect(new Date(fields['time'] as string).toISOString()).toBe(fields['time']);
  });

  test("ends with the number that the rollout guide's awk command reads", () => {
    const [line = ''] = written((log) => log.info({ jobId: 'job_1' }, 'Request completed in 1234'));
    expect(line.trimEnd().split(' ').at(-1)).toBe('1234"}');
  });

  test('has the bindings of a child logger before the message', () => {
    expect(Object.keys(fieldsOf((log) => log.child({ jobId: 'j' }).info('x'))).slice(-2)).toEqual([
      'jobId',
      'msg',
    ]);
  });

  test('below the log level is not written', () => {
    expect(written((log) => log.debug('quiet'))).toEqual([]);
    expect(written((log) => log.debug('loud'), 'debug')).toHaveLength(1);
  });
});

describe('the log never contains', () => {
  test.each([
    ['an authorization header', { headers: { authorization: 'hush' } }],
    ['a cookie', { headers: { cookie: 'hush' } }],
    ['an API key', { apiKey: 'hush' }],
    ['a conversation', { messages: [{ role: 'user', content: 'hush' }] }],
    ['a user', { user: 'hush' }],
    ['a body', { body: { text: 'hush' } }],
    [
      'the arguments of a Redis command',
      { err: Object.assign(new Error('OOM'), { command: { name: 'set', args: ['hush'] } }) },
    ],
    [
      'the body of a response',
      { err: new Error('outer', { cause: Object.assign(new Error('x'), { response: 'hush' }) }) },
    ],
    ['a thrown value that is not an error', { err: { text: 'hush' } }],
  ])('%s', (_name, fields) => {
    const [line = ''] = written((log) => log.info(fields, 'x'));
    expect(line).not.toContain('hush');
    expect(line).toContain('"msg":"x"}');
  });
});

test('an error is logged with its type, code, stack and causes', () => {
  const cause = Object.assign(new TypeError('no socket'), { code: 'ECONNREFUSED' });
  const several = new AggregateError([new Error('one')], 'some', { cause });
  const { err } = fieldsOf((log) => log.error({ err: several }, 'failed')) as {
    err: Record<string, unknown>;
  };
  expect(err).toMatchObject({
    type: 'AggregateError',
    message: 'some',
    cause: { type: 'TypeError', message: 'no socket', code: 'ECONNREFUSED' },
    errors: [{ message: 'one' }],
  });
  expect(err['stack']).toContain('logger.test.ts');
});

test('LOG_FILE gets the same lines, and its folder is created', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'turnout-log-'));
  const file = join(folder, 'new', 'service.log');
  const lines: string[] = [];
  createLogger(
    'test',
    { LOG_LEVEL: 'info', LOG_FILE: file },
    { write: (line) => void lines.push(line) },
  ).info('twice');
  const same = () => existsSync(file) && readFileSync(file, 'utf8') === lines[0];
  expect(await until(same, { timeoutMs: 5_000, everyMs: 10 })).toBe(true);
  rmSync(folder, { recursive: true });
});
