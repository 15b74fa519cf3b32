import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPortClaims } from './port-claims.ts';
import { choosePort, freePort, type PortProbe } from './ports.ts';
import { processInfo } from './process-info.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'turnout-claims-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const startTime = processInfo(process.ppid)?.startTime ?? '';
/** The claims of another live process: the parent of this one. */
const neighbour = () => createPortClaims(folder, { pid: process.ppid, startTime });
const dead = () => createPortClaims(folder, { pid: process.ppid, startTime: 'another time' });

/** A probe for which no server listens on any port. */
const probeOf = (claims: PortProbe['claims']): PortProbe => ({
  isFree: () => Promise.resolve(true),
  owner: () => undefined,
  random: () => Math.random(),
  claims,
});

test('a port that another live process has claimed is not free, even if no server listens on it yet', async () => {
  const ingress = { name: 'ingress', preferred: 8080 };
  const first = await choosePort(ingress, new Set(), () => undefined, probeOf(neighbour()));
  const second = await choosePort(ingress, new Set(), () => undefined, probeOf(createPortClaims(folder)));
  expect(first).toBe(8080);
  expect(second).not.toBe(8080);
});

test('a process can choose a port that it has claimed, but never gets it a second time as a free port', async () => {
  const claims = createPortClaims(folder);
  const probe = { ...probeOf(claims), random: () => 0.5 };
  expect(await freePort(new Set(), probe)).toBe(26_000);
  await expect(freePort(new Set(), probe)).rejects.toThrow('No free port');
  expect(claims.claim(26_000)).toBe('mine');
});

test('the claim of a dead process is free', () => {
  expect(dead().claim(8080)).toBe('new');
  expect(createPortClaims(folder).claim(8080)).toBe('new');
  expect(neighbour().claim(8080)).toBe('taken');
});

test('a claim is released if a server has taken the port before the check', async () => {
  const claims = createPortClaims(folder);
  const answers = [false, true];
  const ports = [0.5, 0.25];
  const probe: PortProbe = {
    ...probeOf(claims),
    isFree: () => Promise.resolve(answers.shift() ?? true),
    random: () => ports.shift() ?? 0,
  };
  expect(await freePort(new Set(), probe)).toBe(23_000);
  expect(neighbour().claim(26_000)).toBe('new');
});
