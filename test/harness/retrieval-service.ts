import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A question that a retrieval service received. */
export interface Asked {
  query: string;
  headers: IncomingMessage['headers'];
  /** Milliseconds since the epoch. */
  at: number;
  /** Aborts when the caller closes the connection. */
  gone: AbortSignal;
}

export interface FoundPassage {
  text: string;
  title?: string;
  url?: string;
}

export interface RetrievalService {
  /** The URL as RETRIEVAL_SOURCES takes it. */
  readonly url: string;
  readonly asked: readonly Asked[];
  /** Closes the server and every connection at once. */
  close(): Promise<void>;
}

export interface RetrievalBehaviour {
  passages?: readonly FoundPassage[];
  /** Milliseconds until it answers each question. */
  delayMs?: (query: string) => number;
  /** Accepts questions and never answers. */
  hang?: boolean;
  /** The answer that it gives instead of results. */
  broken?: { status: number; body: string };
}

/** Starts a team's retrieval service, which implements OpenAI's vector store search. */
export async function startRetrievalService(behaviour: RetrievalBehaviour): Promise<RetrievalService> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void answer(behaviour, asked, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1/vector_stores/vs_test/search`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  { passages = [], delayMs, hang, broken }: RetrievalBehaviour,
  asked: Asked[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { query } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { query: string };
  asked.push({ query, headers: request.headers, at: Date.now(), gone: gone.signal });
  if (hang) return;
  if (delayMs) await delay(delayMs(query));
  response.writeHead(broken?.status ?? 200, { 'content-type': 'application/json' });
  response.end(broken?.body ?? JSON.stringify(pageOf(query, passages)));
}

function pageOf(query: string, passages: readonly FoundPassage[]): object {
  const data = passages.map(({ text, title, url }, at) => ({
    file_id: `file-${at}`,
    filename: title ?? `${at}.md`,
    score: 1 / (at + 1),
    attributes: { ...(title ? { title } : {}), ...(url ? { url } : {}) },
    content: [{ type: 'text', text }],
  }));
  return { object: 'vector_store.search_results.page', search_query: query, data, has_more: false };
}
