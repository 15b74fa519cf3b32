import { connect } from 'node:net';
import { z } from 'zod';

/**
 * How to check the health of a running process. It is plain data, because the pid record stores it for `status`.
 * `http`: responds with 2xx. `redis`: responds with PONG. `kafka`: responds to a request, which a broker does only when it serves clients.
 */
export const healthCheckSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('http'), url: z.string() }),
  z.object({ kind: z.literal('redis'), port: z.number(), password: z.string() }),
  z.object({ kind: z.literal('kafka'), port: z.number() }),
]);
export type HealthCheck = z.infer<typeof healthCheckSchema>;

const ANSWER_TIMEOUT_MS = 1000;

/** True if the process gives the expected response within a second. Never throws. */
export async function isHealthy(check: HealthCheck): Promise<boolean> {
  switch (check.kind) {
    case 'http':
      return answersHttp(check.url);
    case 'redis': {
      const answer = await exchange(check.port, `AUTH ${check.password}\r\nPING\r\n`, '+PONG');
      return answer !== undefined;
    }
    case 'kafka':
      return (await exchange(check.port, apiVersionsRequest())) !== undefined;
  }
}

async function answersHttp(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // Not listening yet, or no response in time: this means unhealthy, it is not an error.
  }
}

/** Kafka's ApiVersions request, version 0: size, api key 18, version, correlation id, no client id. */
function apiVersionsRequest(): Buffer {
  const request = Buffer.alloc(14);
  request.writeInt32BE(10, 0);
  request.writeInt16BE(18, 4);
  request.writeInt32BE(1, 8);
  request.writeInt16BE(-1, 12);
  return request;
}

/** Sends bytes and returns the response once it contains `expected` (by default, once anything arrives); undefined on any failure. */
function exchange(port: number, request: string | Buffer, expected = ''): Promise<string | undefined> {
  return new Promise((settle) => {
    const socket = connect({ host: '127.0.0.1', port });
    let received = '';
    const end = (answer: string | undefined): void => {
      socket.destroy();
      settle(answer);
    };
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => end(undefined));
    socket.on('error', () => end(undefined));
    socket.on('close', () => end(undefined));
    socket.on('connect', () => socket.write(request));
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (received.includes(expected)) end(received);
    });
  });
}
