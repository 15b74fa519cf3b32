import { describe, expect, test } from '@jest/globals';
import { createServer } from 'node:net';
import { choosePort, freePort, isFree, type PortProbe } from './ports.ts';

const probe = (taken: readonly number[]): PortProbe => ({
  isFree: (port) => Promise.resolve(!taken.includes(port)),
  owner: (port) => (port === 8080 ? 'node (pid 123)' : undefined),
  random: () => 0.5,
  claims: { claim: () => 'new', release: () => undefined },
});

describe('choosing a port', () => {
  test('the preferred port is used if it is free, without a message', async () => {
    const said: string[] = [];
    const reserved = new Set<number>();
    const port = await choosePort(
      { name: 'ingress', preferred: 8080 },
      reserved,
      (line) => said.push(line),
      probe([]),
    );
    expect([port, said, [...reserved]]).toEqual([8080, [], [8080]]);
  });

  test('a taken port is replaced by a free one, and the message names the process that has it', async () => {
    const said: string[] = [];
    const preference = { name: 'ingress', preferred: 8080 };
    const port = await choosePort(preference, new Set(), (line) => said.push(line), probe([8080]));
    expect(port).toBe(26_000);
    expect(said).toEqual(['port 8080 is taken by node (pid 123); using 26000 for ingress']);
  });

  test('two parts never get the same port', async () => {
    const reserved = new Set<number>();
    const ask = (name: string): Promise<number> =>
      choosePort({ name, preferred: 9999 }, reserved, () => undefined);
    expect(new Set([await ask('one'), await ask('other'), await ask('third')]).size).toBe(3);
  });

  test('if no port is free it fails instead of trying forever', async () => {
    await expect(freePort(new Set([26_000]), probe([]))).rejects.toThrow('No free port');
  });

  test('a port that a server listens on is not free', async () => {
    const server = createServer();
    await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    expect(await isFree(address.port)).toBe(false);
    await new Promise((settle) => server.close(settle));
    expect(await isFree(address.port)).toBe(true);
  });
});
