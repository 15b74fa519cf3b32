import { describe, expect, test } from '@jest/globals';
import type { PidRecord } from './pid-record.ts';
import { planPorts } from './port-plan.ts';
import type { PortProbe } from './ports.ts';
import { processInfo } from './process-info.ts';

const probe = (taken: readonly number[]): PortProbe => ({
  isFree: (port) => Promise.resolve(!taken.includes(port)),
  owner: () => undefined,
  random: () => 0,
  claims: { claim: () => 'new', release: () => undefined },
});

const record = (name: string, port: number, alive: boolean): PidRecord => ({
  name,
  pid: process.pid,
  startTime: alive ? (processInfo(process.pid)?.startTime ?? '') : 'long ago',
  port,
  extraPorts: {},
  startedAt: new Date().toISOString(),
  fingerprint: '',
  health: { kind: 'kafka', port },
  stopTimeoutMs: 0,
});

describe('the port plan', () => {
  const parts = new Set(['redis'] as const);
  const say = (): void => undefined;

  test('a running process keeps its port', async () => {
    const ports = await planPorts({ records: [record('ingress', 8085, true)], parts, say }, probe([8085]));
    expect(ports.ingress).toBe(8085);
  });

  test('a process that died gets the same port again if that is free, so that the others find it', async () => {
    const records = [record('redis', 16_500, false)];
    expect((await planPorts({ records, parts, say }, probe([]))).redis).toBe(16_500);
    expect((await planPorts({ records, parts, say }, probe([16_500]))).redis).toBe(20_000);
  });

  test('a preferred port overrides the default, and parts that run elsewhere get no port', async () => {
    const said: string[] = [];
    const options = {
      records: [],
      parts,
      preferences: { ingress: 9000 },
      say: (line: string) => said.push(line),
    };
    const ports = await planPorts(options, probe([14_000]));
    expect(ports.ingress).toBe(9000);
    expect(said).toEqual([]);
  });
});
