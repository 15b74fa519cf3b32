import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type LookupFunction } from 'node:net';
import { TurnoutError } from '../../../shared/errors/turnout-error.ts';

export interface Post {
  url: URL;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** Decides which addresses may be connected to. */
  lookup: LookupFunction;
  /** For all of it, from the look-up to the end of the answer. Milliseconds. */
  timeoutMs: number;
  /** Aborts with the error that is then thrown. */
  signal: AbortSignal;
}

export interface Answer {
  status: number;
  retryAfter: string | undefined;
}

/** More of an answer's body than this is not read. */
const BODY_BYTES = 16 * 1_024;

/**
 * One POST on a connection of its own; follows no redirect, keeps nothing of the answer's body. Throws `webhook_timeout`,
 * `webhook_unreachable`, what the look-up threw, or the signal's reason.
 */
export async function post({ url, headers, body, lookup, timeoutMs, signal }: Post): Promise<Answer> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = open(url, {
    method: 'POST',
    agent: false,
    lookup,
    headers: { ...headers, 'content-type': 'application/json', 'user-agent': 'Turnout-Webhooks/1' },
    signal: AbortSignal.any([timeout, signal]),
  });
  request.end(body);
  try {
    const response = await answerOf(request);
    await discard(response);
    return { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] };
  } catch (error) {
    if (signal.aborted) throw TurnoutError.from(signal.reason);
    if (timeout.aborted) throw new TurnoutError('webhook_timeout', { cause: error });
    throw error instanceof TurnoutError ? error : new TurnoutError('webhook_unreachable', { cause: error });
  } finally {
    request.destroy();
  }
}

/** `close` without an answer and without an error: the endpoint wanted to change the protocol. */
function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject); // stays: an abort may still come while the body is read
    request.on('close', () => reject(new Error('the connection closed without an answer')));
  });
}

/** Reads to the end where that is near, which is kinder than a reset. The status stands whatever happens here. */
async function discard(response: IncomingMessage): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > BODY_BYTES) return;
    }
  } catch {
    // a body that broke off or took too long: nobody reads it
  }
}
