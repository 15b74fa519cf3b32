import { execFile } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, jest, test } from '@jest/globals';

const LOGGER = pathToFileURL(join(import.meta.dirname, 'logger.ts')).href;

/** Every write to this device fails with ENOSPC, as on a full disk. */
const FULL = '/dev/full';

jest.setTimeout(30_000);

test('a full disk loses log lines but does not stop the process, and the other log reports it', async () => {
  const program = `
    import { createLogger } from '${LOGGER}';
    const log = createLogger('test', { LOG_LEVEL: 'info', LOG_FILE: '${FULL}' });
    log.info('before');
    process.once('beforeExit', () => log.info('behind'));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 20_000,
  });
  expect(stdout).toMatch(/"msg":"before"[^]*ENOSPC[^]*"msg":"Cannot write the log[^]*"msg":"behind"/);
});
