import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { repositoryRoot } from './layout.ts';
import { DEFAULT_MAX_MEMORY, prepareRedis, readMaxMemory } from './redis.ts';

const folder = mkdtempSync(join(tmpdir(), 'turnout-redis-'));
afterAll(() => rmSync(folder, { recursive: true }));

function configured(role: 'redis' | 'cache-redis', maxMemory?: string): string {
  const layout = { data: folder, logs: folder } as Parameters<typeof prepareRedis>[1];
  prepareRedis({ role, server: 'redis-server', port: 1, password: 'p', maxMemory }, layout);
  return readFileSync(join(folder, `${role}.conf`), 'utf8');
}

describe('the job Redis', () => {
  test('always has a memory limit, and evicts nothing', () => {
    expect(configured('redis')).toContain(`maxmemory "${DEFAULT_MAX_MEMORY}"`);
    expect(configured('redis', '512mb')).toContain('maxmemory "512mb"');
    expect(configured('redis')).toContain('maxmemory-policy "noeviction"');
  });

  test('has the same default limit in containers', () => {
    const compose = readFileSync(join(repositoryRoot, 'docker-compose.yml'), 'utf8');
    expect(compose).toContain(`\${REDIS_MAX_MEMORY:-${DEFAULT_MAX_MEMORY}}`);
  });

  test.each(['0', 'much', '4 gb', '-1', '50%'])('is not started with REDIS_MAX_MEMORY=%s', (value) => {
    expect(() => readMaxMemory(value)).toThrow('REDIS_MAX_MEMORY is not valid');
  });
});
