import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

/** A model call that reached LiteLLM. */
export interface SwitchedCall {
  /** Milliseconds since the epoch. */
  at: number;
  jobId: string;
}

/** A proxy in front of LiteLLM that can make LiteLLM fail without affecting the legacy system. */
export interface LitellmSwitch {
  url: string;
  /** Percent of the jobs whose calls are answered with 500. */
  fail: (percent: number) => void;
  calls: SwitchedCall[];
  close: () => Promise<void>;
}

export async function startLitellmSwitch(litellmUrl: string): Promise<LitellmSwitch> {
  const calls: SwitchedCall[] = [];
  let failing = 0;
  const server = createServer((incoming, response) => {
    if (!(incoming.url ?? '').endsWith('/chat/completions')) {
      forward(litellmUrl, incoming, response);
      return;
    }
    const jobId = String(incoming.headers['x-turnout-job-id']);
    calls.push({ at: Date.now(), jobId });
    if (isAmong(jobId, failing)) refuse(incoming, response);
    else forward(litellmUrl, incoming, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fail: (percent) => void (failing = percent),
    calls,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Job ids are random, and the decision depends on the id alone: every call of a job has the same outcome. */
function isAmong(jobId: string, percent: number): boolean {
  return Number.parseInt(jobId.slice(-4), 16) % 100 < percent;
}

function refuse(incoming: IncomingMessage, response: ServerResponse): void {
  incoming.resume();
  response.writeHead(500, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { message: 'LiteLLM is ill', type: 'server_error', code: '500' } }));
}

function forward(target: string, incoming: IncomingMessage, response: ServerResponse): void {
  const { method, headers } = incoming;
  const onward = request(new URL(incoming.url ?? '/', target), { method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  response.on('close', () => onward.destroy());
  incoming.pipe(onward);
}
