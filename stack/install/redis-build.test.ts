import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseRedisBuild, type RedisBuild } from './redis-build.ts';

const packaged: RedisBuild = { command: '/cache/valkey-server', product: 'valkey', version: '9.1.2' };
const older: RedisBuild = { command: '/usr/bin/redis-server', product: 'redis', version: '7.0.15' };
const newer: RedisBuild = { command: '/opt/redis-server', product: 'redis', version: '8.10.1' };

let home: string;
let folder: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'turnout-redis-'));
  folder = join(home, 'redis');
});
afterEach(() => rmSync(home, { recursive: true }));

function writeData(header: string): void {
  mkdirSync(join(folder, 'appendonlydir'), { recursive: true });
  writeFileSync(join(folder, 'appendonlydir', 'appendonly.aof.1.base.rdb'), header);
}

/** Chooses among these installed builds, the preferred one first. */
async function choose(...installed: RedisBuild[]) {
  const said: string[] = [];
  const build = await chooseRedisBuild({
    folder,
    inspect: (command) => installed.find((one) => one.command === command),
    candidates: () => Promise.resolve(installed),
    say: (line) => said.push(line),
  });
  return { build, said };
}

test('a new stack uses the preferred server', async () => {
  expect((await choose(newer, packaged)).build).toEqual(newer);
});

test.each([
  ['a newer one', newer],
  ['an older one', older],
])('%s on PATH changes nothing for a stack that has data', async (_, appeared) => {
  await choose(packaged);
  writeData('VALKEY080\xfa\nvalkey-ver\x059.1.2');
  expect(await choose(appeared, packaged)).toEqual({ build: packaged, said: [] });
});

test('data without a build record stay with the server that their header names', async () => {
  writeData('VALKEY080\xfa\nvalkey-ver\x059.1.2');
  expect((await choose(newer, packaged)).build).toEqual(packaged);
  writeData('REDIS0010\xfa\tredis-ver\x067.0.15');
  rmSync(`${folder}.build.json`);
  expect((await choose(packaged, newer, older)).build).toEqual(older);
});

test('if the server is no longer installed, a newer one of the same product takes over, with a message', async () => {
  await choose(older);
  writeData('REDIS0010\xfa\tredis-ver\x067.0.15');
  const { build, said } = await choose(packaged, newer);
  expect(build).toEqual(newer);
  expect(said).toEqual(['redis: redis 8.10.1 takes over the data of redis 7.0.15']);
});

test('if no installed server can read the data, the start fails and the data stay', async () => {
  await choose(newer);
  writeData('REDIS0012\xfa\tredis-ver\x068.10.1');
  await expect(choose(packaged, older)).rejects.toThrow(
    /written by redis 8\.10\.1 \(\/opt\/redis-server\).*Install it again/,
  );
});

test('a server that was upgraded in place is kept', async () => {
  await choose(older);
  writeData('REDIS0010\xfa\tredis-ver\x067.0.15');
  const upgraded = { ...older, version: '7.2.0' };
  expect(await choose(packaged, upgraded)).toEqual({ build: upgraded, said: [] });
});

test('an unreadable build record fails the start with an error that names the file', async () => {
  writeData('VALKEY080\xfa\nvalkey-ver\x059.1.2');
  writeFileSync(`${folder}.build.json`, '{');
  await expect(choose(packaged)).rejects.toThrow('redis.build.json is not valid');
});
