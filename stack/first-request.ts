import OpenAI from 'openai';
import { messageOf, StackError } from './errors.ts';

export interface FirstRequestOptions {
  readonly client: OpenAI;
  readonly model: string;
  readonly write: (text: string) => void;
  /** Describes a model call that failed meanwhile; undefined while none has failed. */
  readonly failure: () => string | undefined;
}

const DOCUMENTS = {
  'depot.txt':
    'The Brandt depot keeps nineteen locomotives. Its turntable was rebuilt in 1987. ' +
    'Night shifts at the depot begin at 22:15.',
  'signals.txt':
    'A yellow light tells the driver to expect a stop. The signal box at Orlen Junction controls forty-two turnouts. ' +
    'Every turnout at Orlen Junction is inspected on the first Tuesday of the month.',
};
const QUESTION = 'How many turnouts does the signal box at Orlen Junction control?';
/** Only the documents contain this fact. */
const FACT = /forty[- ]two|\b42\b/i;
/** A model that is loaded at its first request takes long for its first token. */
const TIMEOUT_MS = 120_000;
/** The services retry a failed call. The request gets this long to succeed after the first failure. */
const RETRY_GRACE_MS = 8_000;
const LOOK_EVERY_MS = 250;

/**
 * Sends one streamed chat request with two documents through the whole system, with OpenAI's own client, and writes the answer as it
 * arrives. Throws `StackError` if there is no answer, or if the answer does not quote the documents. If model calls fail, it throws
 * some seconds after the first failure.
 */
export async function sendFirstRequest(options: FirstRequestOptions): Promise<void> {
  const { model, write } = options;
  write(`\nFirst request to ${model}, with ${Object.keys(DOCUMENTS).join(' and ')}: ${QUESTION}\n> `);
  const answer = await ask(options);
  write('\n');
  if (!FACT.test(answer))
    throw new StackError(`The answer does not quote the documents that were sent: ${JSON.stringify(answer)}`);
}

/**
 * Chooses the model of the first request: the configured one, else the simulated one, else LiteLLM's first chat model. Throws
 * `StackError` if there is none.
 */
export async function chooseModel(client: OpenAI, wished: string | undefined): Promise<string> {
  const { data } = await client.models.list();
  const ids = data.filter(({ owned_by: owner }) => owner !== 'turnout').map(({ id }) => id);
  if (wished !== undefined) {
    // The configured model may also be an assistant.
    if (data.some(({ id }) => id === wished) || ids.some((id) => id.endsWith('*'))) return wished;
    throw new StackError(
      `TURNOUT_MODEL is ${wished}, but LiteLLM does not serve this model. It serves: ${ids.join(', ')}`,
    );
  }
  const model = ids.find((id) => id === 'turnout-sim') ?? ids.find((id) => !/\*|embed/.test(id));
  if (model === undefined)
    throw new StackError('LiteLLM lists no chat model. Set one in .env: TURNOUT_MODEL=...');
  return model;
}

export function firstClient(url: string, apiKey: string): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, timeout: TIMEOUT_MS });
}

async function ask({ client, model, write, failure }: FirstRequestOptions): Promise<string> {
  const files = Object.entries(DOCUMENTS).map(([filename, text]) => ({
    type: 'file' as const,
    file: { filename, file_data: `data:text/plain;base64,${Buffer.from(text).toString('base64')}` },
  }));
  const content = [{ type: 'text' as const, text: QUESTION }, ...files];
  const watch = watchFailure(failure);
  let answer = '';
  try {
    const stream = await client.chat.completions.create(
      { model, stream: true, messages: [{ role: 'user', content }] },
      { signal: watch.signal },
    );
    for await (const chunk of stream) {
      const text = chunk.choices[0]?.delta.content ?? '';
      if (text !== '') watch.end();
      answer += text;
      write(text);
    }
  } catch (error) {
    throw new StackError(watch.reason() ?? messageOf(error), { cause: error });
  } finally {
    watch.end();
  }
  // The SDK ends an aborted stream without an error.
  if (watch.signal.aborted) throw new StackError(watch.reason() ?? 'The request was aborted');
  return answer;
}

/** Its signal aborts some seconds after the first failed call, unless the watch ends before. */
function watchFailure(failure: () => string | undefined) {
  const controller = new AbortController();
  let reason: string | undefined;
  let seenAt: number | undefined;
  const look = (): void => {
    reason = failure();
    if (reason !== undefined) seenAt ??= performance.now();
    if (seenAt !== undefined && performance.now() - seenAt > RETRY_GRACE_MS) controller.abort();
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  return {
    signal: controller.signal,
    reason: () => (reason ??= failure()),
    end: () => clearInterval(timer),
  };
}
