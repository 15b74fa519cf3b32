import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256Of } from '../stack/install/jar-lock.ts';
import { readPublished } from './published.ts';

let [cache, asked]: [string, number] = ['', 0];
let server: Server;
let status = 200;

beforeEach(async () => {
  cache = mkdtempSync(join(tmpdir(), 'turnout-'));
  [asked, status] = [0, 200];
  server = createServer((_request, response) => {
    asked += 1;
    response.statusCode = status;
    response.end('the data');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
});
afterEach(async () => {
  rmSync(cache, { recursive: true });
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

const read = (hash = sha256Of('the data')) =>
  readPublished(
    {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/data.json`,
      sha256: hash,
      command: 'make measure',
    },
    { cache, say: () => undefined },
  );

test('published data is downloaded once, and then read from the cache', async () => {
  expect([await read(), await read()]).toEqual(['the data', 'the data']);
  expect(asked).toBe(1);
});

test('a download with another hash is refused and not kept', async () => {
  await expect(read(sha256Of('other data'))).rejects.toThrow('is not the published file');
  expect(readdirSync(cache)).toEqual([]);
});

test('a cached file that was changed is refused', async () => {
  await read();
  for (const name of readdirSync(cache)) writeFileSync(join(cache, name), 'changed');
  await expect(read()).rejects.toThrow('is not the published file');
});

test('if the data cannot be downloaded, the error says what to do', async () => {
  status = 404;
  await expect(read()).rejects.toThrow(/HTTP status 404.*make measure DATA=file/);
});
