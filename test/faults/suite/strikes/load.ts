import pLimit from 'p-limit';
import { type Ground } from '../ground.ts';
import { type Struck } from './strike.ts';

const MESSAGES = 500;
const MESSAGE_CHARACTERS = 60_000;
const MANY = 12;
const REQUEST_CHARACTERS = 220_000;

/** One request of 30 MB that exceeds every context window, and a dozen at once that are just below the limit of one Kafka batch. */
export async function sendLargeRequests(ground: Ground): Promise<Struck> {
  const since = Date.now();
  const ask = (messages: object[]) =>
    post(ground, {
      path: 'chat/completions',
      apiKey: ground.apiKeys[0] ?? '',
      body: { model: 'turnout-sim', messages },
    });
  const huge = Array.from({ length: MESSAGES }, () => ({
    role: 'user',
    content: '字'.repeat(MESSAGE_CHARACTERS / 3),
  }));
  const large = [{ role: 'user', content: textOf(REQUEST_CHARACTERS) }];
  const [hugeStatus, ...statuses] = await Promise.all([
    ask(huge),
    ...Array.from({ length: MANY }, () => ask(large)),
  ]);
  if (hugeStatus !== 400 || statuses.some((status) => status !== 200))
    throw new Error(
      `Expected a 400 and then only 200 for the large requests, got ${[hugeStatus, ...statuses].join(', ')}`,
    );
  return { since };
}

const FLOOD = 300;
const FLOOD_CHARACTERS = 200_000;
const FLOOD_AT_ONCE = 20;

/** One extra user sends more large jobs than may wait. The judge checks that all other users are unaffected. */
export async function flood(ground: Ground): Promise<Struck> {
  const since = Date.now();
  const body = { model: 'turnout-sim', background: true, input: textOf(FLOOD_CHARACTERS) };
  const limit = pLimit(FLOOD_AT_ONCE);
  const statuses = await Promise.all(
    Array.from({ length: FLOOD }, () =>
      limit(() => post(ground, { path: 'responses', apiKey: ground.extraKey, body })),
    ),
  );
  const count = (status: number) => statuses.filter((one) => one === status).length;
  if (count(200) === 0 || count(200) + count(429) < FLOOD)
    throw new Error(
      `Expected some 200 and otherwise 429 for the flood, got ${[...new Set(statuses)].join(', ')}`,
    );
  return { since };
}

/** A prompt of about this many characters, with a short answer. */
export function textOf(characters: number): string {
  return `${'word '.repeat(characters / 5)} [[sim: tokens=3; tps=0]]`;
}

interface Asked {
  /** URL of an ingress. Default: the first one. */
  url?: string;
  path: 'chat/completions' | 'responses';
  apiKey: string;
  body: object;
}

/** Sends the request, reads the whole answer, and returns its status. */
export async function post(
  { ingresses }: Ground,
  { url = ingresses[0], path, apiKey, body }: Asked,
): Promise<number> {
  const response = await fetch(`${url}/v1/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
    body: JSON.stringify(body),
  });
  await response.text();
  return response.status;
}
