import type OpenAI from 'openai';
import type { ChatCompletionContentPart } from 'openai/resources/chat/completions';
import { MODEL } from '../load/chat-call.ts';

/** A document of a request: an uploaded one, or one that comes with it. */
export type AskedFile = { file_id: string } | { filename: string; file_data: string };

export interface DocumentReply {
  /** Milliseconds from the request to the first word. */
  firstWordMs: number;
  text: string;
  /** What the answer had to do without, as its header says. */
  degraded: string | null;
}

/** Asks one question about one document. Rejects as the client does. */
export async function askAboutDocument(
  client: OpenAI,
  question: string,
  file: AskedFile,
): Promise<DocumentReply> {
  const content: ChatCompletionContentPart[] = [
    { type: 'text', text: question },
    { type: 'file', file },
  ];
  const startedAt = performance.now();
  const { data, response } = await client.chat.completions
    .create({ model: MODEL, messages: [{ role: 'user', content }], stream: true })
    .withResponse();
  let text = '';
  let firstWordMs = Number.NaN;
  for await (const { choices } of data) {
    text += choices[0]?.delta.content ?? '';
    if (Number.isNaN(firstWordMs) && text !== '') firstWordMs = performance.now() - startedAt;
  }
  return { firstWordMs, text, degraded: response.headers.get('x-turnout-degraded') };
}
