import { setTimeout as delay } from 'node:timers/promises';
import { type Question, readStream } from './reading.ts';

export interface Asking {
  body: Record<string, unknown>;
  expected: string;
}

/** The result of one request. */
export interface Answer {
  jobId: string | undefined;
  /** What is wrong with the answer, in words. Undefined if it is complete and correct. */
  complaint: string | undefined;
}

interface SteadyClientsOptions {
  /** Tried in turn: if one refuses the connection, the next one is used, as a load balancer does. */
  urls: readonly string[];
  apiKey: string;
  askings: readonly Asking[];
  clients: number;
}

export interface SteadyClients {
  /** Number of requests answered so far. */
  answered(): number;
  /** Sends no more requests. Resolves with all answers. */
  stop(): Promise<Answer[]>;
}

/** Clients that send one question after another, half of them streaming. They retry nothing. */
export function startSteadyClients(options: SteadyClientsOptions): SteadyClients {
  const { askings, clients } = options;
  const answers: Answer[] = [];
  let stopped = false;

  async function play(client: number): Promise<void> {
    await delay(client * 150); // so that not all clients are at the same point of their answers
    for (let turn = client; !stopped; turn += 1) {
      const asking = askings[turn % askings.length];
      if (asking) answers.push(await askBalanced(options, asking, turn, client % 2 === 0));
    }
  }

  const playing = Promise.all(Array.from({ length: clients }, (_, client) => play(client)));
  return {
    answered: () => answers.length,
    stop: async () => {
      stopped = true;
      await playing;
      return answers;
    },
  };
}

async function askBalanced(
  { urls, apiKey }: SteadyClientsOptions,
  { body, expected }: Asking,
  turn: number,
  stream: boolean,
): Promise<Answer> {
  for (let hop = 0; hop < urls.length; hop += 1) {
    const url = urls[(turn + hop) % urls.length] ?? '';
    const answer = await askOne({ url, apiKey, body: { ...body, stream } }, expected);
    if (answer !== 'refused') return answer;
  }
  return { jobId: undefined, complaint: 'every ingress refused the connection' };
}

async function askOne(question: Question, expected: string): Promise<Answer | 'refused'> {
  const reading = readStream(question);
  await reading.over;
  return reading.opened.then(
    ({ status, headers }) => {
      const jobId = headers.get('x-turnout-job-id') ?? undefined;
      const saw = { done: reading.done(), error: reading.error(), text: reading.text() };
      const whole = saw.done && saw.error === undefined && saw.text === expected;
      return { jobId, complaint: whole ? undefined : JSON.stringify({ jobId, status, ...saw, expected }) };
    },
    (error: unknown) => {
      const { message, cause } = error as { message: string; cause?: { code?: string } };
      if (cause?.code === 'ECONNREFUSED') return 'refused';
      return { jobId: undefined, complaint: `${message} (${cause?.code ?? '?'})` };
    },
  );
}
