import { NEIGHBOURS_PLAN } from './plan.ts';

/** Counts by answer, e.g. `400 context_length_exceeded`. */
export type Answers = Record<string, number>;

/** The client of a further user that sends harmful requests. */
export interface Troublemaker {
  readonly answers: Answers;
  /** Counts the answer. Resolves with its JSON body if the status is 2xx, else with undefined. */
  post(path: string, body: string | FormData): Promise<Record<string, unknown> | undefined>;
  /** Sends a request and closes the connection as soon as the answer begins. */
  postAndLeave(path: string, body: string): Promise<void>;
  /** Sends a request with an unknown key. */
  guessKey(): Promise<void>;
}

export function createTroublemaker({ baseUrl, key }: { baseUrl: string; key: string }): Troublemaker {
  const answers: Answers = {};
  const count = (answer: string) => (answers[answer] = (answers[answer] ?? 0) + 1);

  async function send(path: string, body: string | FormData): Promise<Response> {
    const type = typeof body === 'string' ? { 'content-type': 'application/json' } : {};
    return fetch(`${baseUrl}${path}`, {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${key}`, ...type },
      signal: AbortSignal.timeout(NEIGHBOURS_PLAN.answerMs),
    });
  }

  return {
    answers,
    post: (path, body) =>
      counted(count, async () => {
        const response = await send(path, body);
        const read = (await response.json()) as Record<string, unknown> & { error?: { code?: string } };
        count(response.ok ? '200' : `${response.status} ${read.error?.code ?? ''}`.trim());
        return response.ok ? read : undefined;
      }),
    postAndLeave: async (path, body) => {
      await counted(count, async () => {
        const response = await send(path, body);
        count(String(response.status));
        await response.body?.cancel();
      });
    },
    guessKey: async () => {
      await counted(count, async () => {
        const authorization = `Bearer sk-turnout-${Math.random()}`;
        const response = await fetch(`${baseUrl}/models`, { headers: { authorization } });
        await response.arrayBuffer();
        count(String(response.status));
      });
    },
  };
}

/** Counts a failed request under the name of its error. */
async function counted<T>(
  count: (answer: string) => void,
  request: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await request();
  } catch (error) {
    const { name, cause } = error as { name: string; cause?: { code?: string } };
    count(cause?.code ?? name);
    return undefined;
  }
}

/** Repeats `work` for `repeatMs`, with `atOnce` calls at the same time. */
export async function repeat(atOnce: number, work: (number: number) => Promise<unknown>): Promise<void> {
  const end = performance.now() + NEIGHBOURS_PLAN.repeatMs;
  let number = 0;
  const lane = async () => {
    while (performance.now() < end) await work(number++);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}
