import { ask, undisturbed } from '../../test/faults/support/simulator.ts';
import { until } from '../../stack/until.ts';
import type { Target } from '../load/protocol.ts';
import type { STREAMS_PLAN } from './plan.ts';
import type { ReaderStream } from './protocol.ts';

const MODEL = 'turnout-sim';
const START_MS = 30_000;

/** Creates background responses of many users. Resolves when all of them are in progress. */
export async function createStreams(
  { baseUrl, apiKeys }: Target,
  { responses, tokens, tokensPerSecond }: typeof STREAMS_PLAN,
): Promise<ReaderStream[]> {
  const knobs = `tokens=${tokens}; tps=${tokensPerSecond}`;
  const numbers = Array.from({ length: responses }, (_, number) => number);
  return Promise.all(
    numbers.map((number) => create(baseUrl, apiKeys[number % apiKeys.length] ?? '', { number, knobs })),
  );
}

async function create(
  baseUrl: string,
  apiKey: string,
  { number, knobs }: { number: number; knobs: string },
): Promise<ReaderStream> {
  const messages = ask(`Where does line ${number} from the harbour end?`, knobs);
  const expected = await undisturbed({ model: MODEL, messages });
  const call = async (path: string, body?: object): Promise<{ id: string; status: string }> => {
    const response = await fetch(`${baseUrl}${path}`, {
      headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${path} responded with status ${response.status}`);
    return (await response.json()) as { id: string; status: string };
  };
  const { id: responseId } = await call('/responses', { model: MODEL, input: messages, background: true });
  const begun = await until(async () => (await call(`/responses/${responseId}`)).status === 'in_progress', {
    timeoutMs: START_MS,
  });
  if (!begun) throw new Error(`${responseId} did not start within ${START_MS / 1_000} s`);
  return { responseId, apiKey, expected };
}
