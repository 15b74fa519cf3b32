import { Agent, request } from 'node:http';
import { createProviderClient, type ProviderAddress } from '../../shared/content/upstream/provider-client.ts';
import { percentilesOf } from '../measure/percentiles.ts';

const TIMES = 200;

/** p50 in milliseconds of creating a provider client, which is the overhead of a system that creates one for each request. */
export function clientConstructionMs(style: ProviderAddress['style']): number {
  const address = { baseURL: 'http://127.0.0.1/v1', apiKey: 'none', style, apiVersion: '2024-10-21' };
  const times = Array.from({ length: TIMES }, () => {
    const begunAt = performance.now();
    createProviderClient(address);
    return performance.now() - begunAt;
  });
  return percentilesOf(times).p50;
}

/** The difference in milliseconds between the p50 of requests on new connections and that of requests on a kept connection. */
export async function connectionSetUpMs(url: string): Promise<number> {
  const [kept, single] = [new Agent({ keepAlive: true }), new Agent({ keepAlive: false })];
  const times = { kept: [] as number[], single: [] as number[] };
  try {
    for (let time = 0; time < TIMES; time += 1) {
      times.kept.push(await requestMs(url, kept));
      times.single.push(await requestMs(url, single));
    }
  } finally {
    kept.destroy();
    single.destroy();
  }
  return percentilesOf(times.single).p50 - percentilesOf(times.kept).p50;
}

function requestMs(url: string, agent: Agent): Promise<number> {
  const begunAt = performance.now();
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent }, (response) => {
      response.resume();
      response.once('end', () => resolve(performance.now() - begunAt));
      response.once('error', reject);
    });
    sent.once('error', reject);
    sent.end();
  });
}
