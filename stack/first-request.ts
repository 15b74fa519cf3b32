import OpenAI from 'openai';
import { StackError } from './errors.ts';

export interface FirstRequestOptions {
  /** The ingress, without `/v1`. */
  readonly url: string;
  readonly apiKey: string;
  /** Default: the simulated model if there is one, else the first that is listed. */
  readonly model: string | undefined;
  readonly write: (text: string) => void;
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
/** Stands in the documents and nowhere else. */
const FACT = /forty[- ]two|\b42\b/i;
const TIMEOUT_MS = 120_000;

/**
 * Sends one streamed chat request with two documents through the whole system, with OpenAI's own client, and writes the
 * answer as it comes. Throws `StackError` when there is none or when it does not quote the documents.
 */
export async function sendFirstRequest(options: FirstRequestOptions): Promise<void> {
  const client = new OpenAI({
    baseURL: `${options.url}/v1`,
    apiKey: options.apiKey,
    maxRetries: 0,
    timeout: TIMEOUT_MS,
  });
  const model = options.model ?? (await anyModel(client));
  options.write(`\n${model} is asked about ${Object.keys(DOCUMENTS).join(' and ')}: ${QUESTION}\n> `);
  const answer = await ask(client, model, options.write);
  options.write('\n');
  if (!FACT.test(answer))
    throw new StackError(`The answer does not quote the documents that were sent: ${JSON.stringify(answer)}`);
}

async function anyModel(client: OpenAI): Promise<string> {
  const { data } = await client.models.list();
  const model = data.find(({ id }) => id === 'turnout-sim') ?? data[0];
  if (model === undefined)
    throw new StackError('LiteLLM lists no model. Name one in .env: TURNOUT_MODEL=...');
  return model.id;
}

async function ask(client: OpenAI, model: string, write: (text: string) => void): Promise<string> {
  const files = Object.entries(DOCUMENTS).map(([filename, text]) => ({
    type: 'file' as const,
    file: { filename, file_data: `data:text/plain;base64,${Buffer.from(text).toString('base64')}` },
  }));
  const content = [{ type: 'text' as const, text: QUESTION }, ...files];
  const stream = await client.chat.completions.create({
    model,
    stream: true,
    messages: [{ role: 'user', content }],
  });
  let answer = '';
  for await (const chunk of stream) {
    const text = chunk.choices[0]?.delta.content ?? '';
    answer += text;
    write(text);
  }
  return answer;
}
