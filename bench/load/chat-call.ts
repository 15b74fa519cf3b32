import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { RequestShape, Target } from './protocol.ts';

export interface CallTimes {
  ttft: number;
  total: number;
}

/** Longer than any answer takes: a request that hangs counts as an error and does not stop the benchmark. */
const TIMEOUT_MS = 60_000;

/** The client closes idle connections after this. LiteLLM's server closes them after 5 s, and loses a request that arrives at that moment. */
const IDLE_MS = 3_000;

export interface ChatCaller {
  /** Sends one request and reads the whole answer. Rejects with a short description of the problem. */
  call(target: Target, shape: RequestShape): Promise<CallTimes>;
  /** The same for a given body. */
  send(target: Target, body: string, as: Pick<RequestShape, 'stream'>): Promise<CallTimes>;
  close(): void;
}

/**
 * A minimal client that can still tell a good answer from a bad one. It keeps connections and parses no JSON, because the CPU time that
 * it uses is missing for the measured servers, which run on the same cores.
 */
export function createChatCaller(): ChatCaller {
  const agent = new Agent({ keepAlive: true, timeout: IDLE_MS });
  let sent = 0;
  return {
    call: (target, shape) => send(agent, target, { body: bodyOf(shape, sent), shape, number: sent++ }),
    send: (target, body, shape) => send(agent, target, { body, shape, number: sent++ }),
    close: () => agent.destroy(),
  };
}

interface Sent {
  body: string;
  shape: Pick<RequestShape, 'stream'>;
  number: number;
}

function send(agent: Agent, target: Target, { body, shape, number }: Sent): Promise<CallTimes> {
  const apiKey = target.apiKeys[number % target.apiKeys.length] ?? '';
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const request = httpRequest(`${target.baseUrl}/chat/completions`, {
      agent,
      method: 'POST',
      timeout: TIMEOUT_MS,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        authorization: `Bearer ${apiKey}`,
      },
    });
    request.once('response', (response) => void read(response, shape, startedAt).then(resolve, reject));
    request.once('timeout', () => request.destroy(new Error(`no answer in ${TIMEOUT_MS / 1_000} s`)));
    request.once('error', reject);
    request.end(body);
  });
}

/** Every question is different, so that no cache on the way can answer it. */
function bodyOf({ stream, tokens, ttft, tokensPerSecond }: RequestShape, number: number): string {
  const knobs = `[[sim: tokens=${tokens}; ttft=${ttft}; tps=${tokensPerSecond}]]`;
  const content = `How does train ${number} change its track? ${knobs}`;
  // Turnout always requests the usage, which LiteLLM computes at the end. For a fair comparison, direct calls must wait for it too.
  const options = stream ? { stream_options: { include_usage: true } } : {};
  return JSON.stringify({ model: MODEL, stream, ...options, messages: [{ role: 'user', content }] });
}

export const MODEL = 'turnout-sim';
const FIRST_TEXT = /"content":\s?"[^"]/;
const END_OF_STREAM = /data: \[DONE\]\s*$/;

function read(response: IncomingMessage, { stream }: Sent['shape'], startedAt: number): Promise<CallTimes> {
  let text = '';
  let ttft: number | undefined;
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    text += chunk;
    if (ttft === undefined && FIRST_TEXT.test(text)) ttft = performance.now() - startedAt;
  });
  return new Promise((resolve, reject) => {
    response.once('error', reject);
    response.once('end', () => {
      const total = performance.now() - startedAt;
      if (response.statusCode !== 200) reject(new Error(`status ${String(response.statusCode)}`));
      else if (ttft === undefined) reject(new Error('an answer without text'));
      else if (!isComplete(text, stream)) reject(new Error('an answer without its end'));
      else resolve({ ttft, total });
    });
  });
}

function isComplete(text: string, stream: boolean): boolean {
  if (!stream) return text.includes('"finish_reason":');
  return END_OF_STREAM.test(text) && !text.includes('"error":');
}
