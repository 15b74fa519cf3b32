import { until } from '../../stack/until.ts';
import { type UpstreamCall, upstreamCalls } from './support.ts';

export const MODEL = 'turnout-sim';
export const REASONER = 'turnout-sim-reasoner';
export const FACT = 'The night train to Ostheim leaves from platform 11.';
export const QUESTION = 'From which platform does the night train to Ostheim leave?';
export const ANSWER = 'platform 11';
export const WEATHER_QUESTION = 'Please call get_weather for city: Oslo';
export const WEATHER = '-3 degrees, snow';
export const WEATHER_SCHEMA = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
} as const;

/** A question whose answer takes about four seconds. */
export const SLOW_QUESTION = `${FACT} ${QUESTION} [[sim: tps=50; tokens=200]]`;
/** One whose answer would take longer than any test. */
export const ENDLESS_QUESTION = 'Tell me of all the stations. [[sim: tps=20; tokens=20000]]';

/** What the provider saw of a response, once it has seen this outcome. */
export async function providerSaw(responseId: string, outcome: string): Promise<UpstreamCall[]> {
  const jobId = responseId.replace('resp_', 'job_');
  let calls: UpstreamCall[] = [];
  await until(
    async () => {
      calls = await upstreamCalls(jobId);
      return calls.some((call) => call.outcome === outcome);
    },
    { timeoutMs: 10_000, everyMs: 20 },
  );
  return calls;
}

export async function collectAll<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of stream) all.push(one);
  return all;
}
