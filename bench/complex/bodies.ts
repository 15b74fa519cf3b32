import { MODEL } from '../load/chat-call.ts';
import type { ComplexRequest } from './trace.ts';

/** The client's request. */
export function chatBody(
  { question, documents, thread, modelMs }: ComplexRequest,
  model: string = MODEL,
): string {
  const files = documents.map((text, at) => ({
    type: 'file',
    file: { filename: `case-${at}.txt`, file_data: `data:text/plain;base64,${toBase64(text)}` },
  }));
  const text = { type: 'text', text: asked(question, modelMs) };
  return streamed([...thread, { role: 'user', content: [text, ...files] }], model);
}

/** The same question without documents and thread. */
export function simpleBody({ question, modelMs }: ComplexRequest, model: string = MODEL): string {
  return streamed([{ role: 'user', content: asked(question, modelMs) }], model);
}

/** A model request that is about as long as the prompt that Turnout builds from the same client request. */
export function promptBody(
  { question, documents, thread, modelMs }: ComplexRequest,
  tokens: PieceBudgets,
): string {
  const share = Math.floor((tokens.documents * CHARACTERS_PER_TOKEN) / documents.length);
  const context = documents.map((text) => text.slice(0, share)).join('\n\n');
  const recent = thread.slice(-Math.floor((thread.length * tokens.history) / tokensOf(thread)));
  return streamed([...recent, { role: 'user', content: `${context}\n\n${asked(question, modelMs)}` }], MODEL);
}

/** Tokens. */
export interface PieceBudgets {
  documents: number;
  history: number;
}

const CHARACTERS_PER_TOKEN = 4.5;
const PASSAGES = 32;
const PASSAGE_CHARACTERS = 1_100;

/** An embeddings request for the passages of one document. */
export function embeddingBody({ documents: [text = ''] }: ComplexRequest, model: string): string {
  const input = Array.from({ length: PASSAGES }, (_, at) => {
    const from = (at * PASSAGE_CHARACTERS) % Math.max(1, text.length - PASSAGE_CHARACTERS);
    return text.slice(from, from + PASSAGE_CHARACTERS);
  });
  return JSON.stringify({ model, input });
}

function tokensOf(thread: ComplexRequest['thread']): number {
  return thread.reduce((sum, { content }) => sum + content.length, 0) / CHARACTERS_PER_TOKEN;
}

function asked(question: string, modelMs: number | undefined): string {
  return modelMs === undefined ? question : `${question} [[sim: tokens=12; ttft=${modelMs}]]`;
}

function streamed(messages: readonly object[], model: string): string {
  return JSON.stringify({ model, stream: true, stream_options: { include_usage: true }, messages });
}

function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}
