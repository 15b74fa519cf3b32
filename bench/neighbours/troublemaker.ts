import { NEIGHBOURS_PLAN } from './plan.ts';

/** What something was answered with (`400 context_length_exceeded`) -> how often. */
export type Answers = Record<string, number>;

/** One further user, who keeps no rules. */
export interface Troublemaker {
  readonly answers: Answers;
  /** Resolves with the answer's body where it was JSON; an answer that is no 2xx is counted, and undefined. */
  post(path: string, body: string | FormData): Promise<Record<string, unknown> | undefined>;
  /** Closes the connection as soon as the answer begins. */
  postAndLeave(path: string, body: string): Promise<void>;
  /** Asks with a key that nobody has. */
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

/** A request that was not answered is one of the answers. */
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

/** Again and again, so many at a time, until the time is over. */
export async function repeat(atOnce: number, work: (number: number) => Promise<unknown>): Promise<void> {
  const end = performance.now() + NEIGHBOURS_PLAN.repeatMs;
  let number = 0;
  const lane = async () => {
    while (performance.now() < end) await work(number++);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}
