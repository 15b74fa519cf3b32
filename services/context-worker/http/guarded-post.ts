import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type LookupFunction } from 'node:net';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

export interface Post<T> {
  url: URL;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** Resolves the host and rejects addresses that must not be connected to. */
  lookup: LookupFunction;
  /** For the whole request, from the DNS look-up to the end of the response. Milliseconds. */
  timeoutMs: number;
  /** Aborts the request; its reason is thrown. */
  signal: AbortSignal;
  /** Reads what it needs of the response; the connection is closed afterwards. */
  read: (response: IncomingMessage) => Promise<T>;
}

/**
 * Sends one JSON POST on a new connection, to an address that `lookup` allows. Does not follow redirects. Throws `webhook_timeout`,
 * `webhook_unreachable`, the error of the look-up, or the signal's reason.
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

/** `close` without a response and without an error means that the server tried to switch protocols. */
function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject); // not removed: an abort may still come while the body is read
    request.on('close', () => reject(new Error('the connection closed without a response')));
  });
}

/** Reads the body to its end if it is short, which avoids resetting the connection. Never throws: the body is not used. */
export async function discard(response: IncomingMessage, mostBytes: number): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > mostBytes) return;
    }
  } catch {
    // the body broke off or took too long
  }
}

/** The whole body as UTF-8. Throws if it is longer than `mostBytes`, or breaks off. */
export async function bodyText(response: IncomingMessage, mostBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error(`the response has more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
