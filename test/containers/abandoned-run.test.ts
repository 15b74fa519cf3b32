import { expect, jest, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSecrets } from '../../stack/secrets.ts';
import { removeContainersOf, startContainers } from '../harness/containers/container-system.ts';
import { docker } from '../harness/containers/engine.ts';
import { createRunState, destroyRunState } from '../harness/state.ts';

jest.setTimeout(300_000);

const listed = async (...args: string[]) => (await docker(args)).split('\n').filter(Boolean);
const networks = () => listed('network', 'ls', '--format', '{{.Name}}');

test('the containers and the network of a test run that was killed are removed, and those of other runs stay', async () => {
  const state = createRunState();
  const [killed, other] = [join(tmpdir(), randomUUID()), join(tmpdir(), randomUUID())];
  const start = (owner: string) =>
    startContainers({
      parts: new Set(['redis'] as const),
      secrets: loadSecrets({ state }),
      owner,
      say: () => undefined,
    });
  const containersOf = (owner: string) =>
    listed('ps', '--all', '--quiet', '--filter', `label=turnout.test-run=${owner}`);
  const alive = await start(other);
  try {
    const before = await networks();
    await start(killed);
    expect(await containersOf(killed)).toHaveLength(1);
    await removeContainersOf((owner) => owner === killed);
    expect(await containersOf(killed)).toHaveLength(0);
    expect(await networks()).toEqual(before);
    expect(await containersOf(other)).toHaveLength(1);
  } finally {
    await alive.stop();
    await removeContainersOf((owner) => owner === killed);
    await destroyRunState(state);
  }
});
