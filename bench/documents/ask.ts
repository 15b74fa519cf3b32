import type OpenAI from 'openai';
import type { ChatCompletionContentPart } from 'openai/resources/chat/completions';
import { MODEL } from '../load/chat-call.ts';

/** A document of a request: an uploaded file, or a file inside the request. */
export type AskedFile = { file_id: string } | { filename: string; file_data: string };

export interface DocumentReply {
  /** Milliseconds from the request to the first word. */
  firstWordMs: number;
  text: string;
  /** The parts of the context that were missing, from the answer's header. */
  degraded: string | null;
}

/** Asks one question about one document. Rejects with the client's errors. */
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
