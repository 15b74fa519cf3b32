import type { Knobs } from '../core/knobs.ts';
import type { Call, Ledger } from '../ledger.ts';
import { ApiError, sendError, type Exchange } from './router.ts';
import { createPacer, durationOf } from './pacing.ts';
import type { SocketBook } from './sockets.ts';

/**
 * Delivers a prepared answer as its knobs say: at what pace, and with which fault. Everything that touches the socket of
 * a call is here; what the bytes mean is the wire format's business.
 */
export interface Delivery {
  exchange: Exchange;
  call: Call;
  knobs: Knobs;
  /** Of the jitter. */
  seed: number;
  ledger: Ledger;
  sockets: SocketBook;
  /** The one thing that the call waits for. */
  timer: NodeJS.Timeout | undefined;
}

/** Pieces are encoded as they go, one per token. */
export interface StreamScript<P> {
  contentType: string;
  head: string;
  pieces: readonly P[];
  encode: (piece: P) => string;
  isReasoning: (piece: P) => boolean;
  /** Unreadable bytes in the place of this piece. */
  garble: (piece: P) => string;
  tail: string;
}

export interface JsonScript {
  body: string;
  tokens: number;
  reasoning: number;
}

const nowEpoch = (): number => performance.timeOrigin + performance.now();

/** Watches the response to its end, and settles the call as aborted when the caller left first. */
export function follow(delivery: Delivery): void {
  const { exchange, call, ledger, sockets } = delivery;
  const { request, response } = exchange;
  response.once('finish', () => settleFinished(call, response.statusCode, ledger));
  // Writing into a socket that its peer has closed is how we learn of an abort; `close` follows and settles the call.
  response.on('error', () => undefined);
  response.once('close', () => {
    clearTimeout(delivery.timer);
    ledger.settle(call, 'aborted', { abortToCloseMs: sockets.sinceGone(request.socket) });
  });
}

function settleFinished(call: Call, status: number, ledger: Ledger): void {
  ledger.settle(call, status < 400 ? 'completed' : 'failed', { status });
}

/** Runs `action` after so many milliseconds unless the caller leaves first; at once when there is nothing to wait for. */
function after(ms: number, delivery: Delivery, action: () => void): void {
  if (ms > 0) delivery.timer = setTimeout(action, ms);
  else action();
}

const FAILURES: Readonly<Record<number, { type: string; code?: string }>> = {
  401: { type: 'authentication_error', code: 'invalid_api_key' },
  403: { type: 'permission_error', code: 'permission_denied' },
  404: { type: 'invalid_request_error', code: 'model_not_found' },
  408: { type: 'timeout_error', code: 'request_timeout' },
  429: { type: 'rate_limit_error', code: 'rate_limit_exceeded' },
};

function simulatedFailure(status: number): ApiError {
  const known = FAILURES[status] ?? { type: status < 500 ? 'invalid_request_error' : 'server_error' };
  return new ApiError(status, `simulated failure with status ${status}`, known);
}

/** Providers say when to come back with a 429; one second unless the knob says otherwise. */
function retryHeaders(status: number, retryAfter: number | null): Record<string, string> {
  const seconds = retryAfter ?? (status === 429 ? 1 : null);
  return seconds === null ? {} : { 'retry-after': String(seconds) };
}

/** Faults that come before the answer. True when one struck and there is nothing more to deliver. */
export function failFirst(delivery: Delivery): boolean {
  const { call, knobs, exchange, seed } = delivery;
  if (knobs.hang) {
    call.fault = 'hang';
    return true;
  }
  const { fail } = knobs;
  if (fail === null) return false;
  call.fault = 'fail';
  after(durationOf(1, knobs, seed), delivery, () =>
    sendError(exchange, simulatedFailure(fail), retryHeaders(fail, knobs.retryAfter)),
  );
  return true;
}

function cutSocket({ exchange, call, ledger, sockets }: Delivery): void {
  call.fault = 'cut';
  sockets.cut(exchange.request.socket);
  ledger.settle(call, 'cut', { status: exchange.response.statusCode });
  exchange.request.socket.destroy();
}

function note(call: Call, pieces: number, reasoning: number): void {
  if (pieces > 0) call.firstTokenAt ??= nowEpoch();
  call.completionTokens += pieces;
  call.reasoningTokens += reasoning;
}

/** Encodes pieces `from` to `to`, and counts them as sent. */
function encodeSome<P>({ call, knobs }: Delivery, script: StreamScript<P>, from: number, to: number): string {
  let text = from === 0 ? script.head : '';
  let reasoning = 0;
  for (let at = from; at < to; at += 1) {
    const piece = script.pieces[at];
    if (piece === undefined) continue;
    if (script.isReasoning(piece)) reasoning += 1;
    if (at === knobs.malformed) call.fault = 'malformed';
    text += at === knobs.malformed ? script.garble(piece) : script.encode(piece);
  }
  note(call, to - from, reasoning);
  return text;
}

/** A fault at or past the end of the answer still comes before its closing chunks; one beyond it never comes. */
function faultAt(knobs: Knobs, total: number): { kind: 'cut' | 'stall'; at: number } | null {
  const cut = knobs.cut ?? Infinity;
  const stall = knobs.stall ?? Infinity;
  const at = Math.min(cut, stall);
  return at > total ? null : { kind: cut <= stall ? 'cut' : 'stall', at };
}

export function deliverStream<P>(delivery: Delivery, script: StreamScript<P>): void {
  const { exchange, call, knobs, seed } = delivery;
  const { response } = exchange;
  const fault = faultAt(knobs, script.pieces.length);
  const end = fault?.at ?? script.pieces.length;
  const pacer = createPacer(knobs, seed);
  const start = performance.now();
  let sent = 0;

  const finish = (text: string): void => {
    if (fault === null) return void response.end(text + script.tail);
    if (fault.kind === 'stall') call.fault = 'stall';
    const then = fault.kind === 'cut' ? () => cutSocket(delivery) : undefined;
    // Only what the kernel has taken reaches the caller before the cut.
    if (text !== '') response.write(text, then);
    else then?.();
  };
  const step = (): void => {
    if (call.outcome !== 'running') return;
    const elapsed = performance.now() - start;
    const due = Math.min(pacer.dueAt(elapsed), end);
    const text = due > sent || (end === 0 && fault === null) ? encodeSome(delivery, script, sent, due) : '';
    sent = due;
    if (sent >= end) {
      finish(text);
      return;
    }
    if (text !== '') response.write(text);
    after(Math.max(1, Math.ceil(pacer.nextAt() - elapsed)), delivery, step);
  };

  response.writeHead(200, { 'content-type': script.contentType, 'cache-control': 'no-cache' });
  if (knobs.ttft > 0 || knobs.tps > 0 || fault !== null) response.flushHeaders();
  step();
}

/** Half of a body whose whole length was announced: the caller knows that it has not got everything. */
const half = (body: string): string => body.slice(0, body.length / 2).toWellFormed();

export function deliverJson(delivery: Delivery, script: JsonScript): void {
  const { exchange, call, knobs, seed } = delivery;
  const { response } = exchange;
  const fault = faultAt(knobs, script.tokens);
  const garbled = knobs.malformed !== null && knobs.malformed < script.tokens;
  after(durationOf(script.tokens, knobs, seed), delivery, () => {
    const body = garbled ? half(script.body) : script.body;
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    });
    if (garbled) call.fault = 'malformed';
    if (fault === null) {
      note(call, script.tokens, script.reasoning);
      response.end(body);
    } else if (fault.kind === 'stall') {
      call.fault = 'stall';
      response.write(half(body));
    } else {
      response.write(half(body), () => cutSocket(delivery));
    }
  });
}
