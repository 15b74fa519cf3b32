import { expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

function run(env: Record<string, string>): ChildProcess {
  const main = new URL('./main.ts', import.meta.url).pathname;
  return spawn(process.execPath, [main], {
    env: { ...process.env, HOST: '127.0.0.1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function read(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = '';
  for await (const chunk of stream ?? []) text += String(chunk);
  return text;
}

test('the process reports its address and exits on SIGTERM even with an open stream', async () => {
  const child = run({ PORT: '0' });
  const [line] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  const { url } = JSON.parse(line.toString()) as { url: string };
  const open = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'x-sim': 'stall=1' },
    body: JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'x' }] }),
  });
  expect(open.status).toBe(200);
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await expect(open.text()).rejects.toThrow();
  expect(await exited).toEqual([0, null]);
});

test('an invalid environment variable is reported by name', async () => {
  const child = run({ PORT: '70000' });
  const [stderr, [code]] = await Promise.all([read(child.stderr), once(child, 'exit') as Promise<[number]>]);
  expect(code).toBe(1);
  expect(stderr).toContain('PORT');
});
