import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type LookupFunction } from 'node:net';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

export interface Post<T> {
  url: URL;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** Decides which addresses may be connected to. */
  lookup: LookupFunction;
  /** For all of it, from the look-up to the end of the answer. Milliseconds. */
  timeoutMs: number;
  /** Aborts with the error that is then thrown. */
  signal: AbortSignal;
  /** Takes what it wants of the answer; the connection ends behind it. */
  read: (response: IncomingMessage) => Promise<T>;
}

/**
 * One POST of JSON on a connection of its own, to an address that `lookup` allows; follows no redirect. Throws `webhook_timeout`,
 * `webhook_unreachable`, what the look-up threw, or the signal's reason.
 */
export async function guardedPost<T>({
  url,
  headers,
  body,
  lookup,
  timeoutMs,
  signal,
  read,
}: Post<T>): Promise<T> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = open(url, {
    method: 'POST',
    agent: false,
    lookup,
    headers: { 'content-type': 'application/json', ...headers },
    signal: AbortSignal.any([timeout, signal]),
  });
  request.end(body);
  try {
    return await read(await answerOf(request));
  } catch (error) {
    if (signal.aborted) throw TurnoutError.from(signal.reason);
    if (timeout.aborted) throw new TurnoutError('webhook_timeout', { cause: error });
    throw error instanceof TurnoutError ? error : new TurnoutError('webhook_unreachable', { cause: error });
  } finally {
    request.destroy();
  }
}

/** `close` without an answer and without an error: the other side wanted to change the protocol. */
function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject); // stays: an abort may still come while the body is read
    request.on('close', () => reject(new Error('the connection closed without an answer')));
  });
}

/** Reads to the end where that is near, which is kinder than a reset. Never throws: nobody reads it. */
export async function discard(response: IncomingMessage, mostBytes: number): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > mostBytes) return;
    }
  } catch {
    // a body that broke off or took too long
  }
}

/** The whole body as UTF-8. Throws for one that is longer, or breaks off. */
export async function bodyText(response: IncomingMessage, mostBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error(`the answer has more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
