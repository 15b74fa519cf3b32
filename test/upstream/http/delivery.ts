import type { Knobs } from '../core/knobs.ts';
import type { Call, Ledger } from '../ledger.ts';
import { BadKeyError, simulatedFailure } from './failures.ts';
import { createPacer, durationOf } from './pacing.ts';
import { type ApiError, sendError, type Exchange } from './router.ts';
import type { SocketBook } from './sockets.ts';

/**
 * Delivers a prepared answer at the pace and with the faults that its knobs ask for. Everything that touches the socket of a call is here;
 * the wire formats define the bytes.
 */
export interface Delivery {
  exchange: Exchange;
  call: Call;
  knobs: Knobs;
  /** Seed of the jitter. */
  seed: number;
  ledger: Ledger;
  sockets: SocketBook;
  /** The only timer of the call. */
  timer: NodeJS.Timeout | undefined;
}

/** Each piece, one per token, is encoded when it is sent. */
export interface StreamScript<P> {
  contentType: string;
  /** `latin1`: the strings hold bytes, for binary formats. */
  encoding: 'utf8' | 'latin1';
  head: string;
  pieces: readonly P[];
  encode: (piece: P) => string;
  isReasoning: (piece: P) => boolean;
  /** Unparsable bytes to send in place of this piece. */
  garble: (piece: P) => string;
  /** What the provider sends instead of the rest when it fails in mid-stream. */
  failure: string;
  tail: string;
}

export interface JsonScript {
  body: string;
  tokens: number;
  reasoning: number;
}

const nowEpoch = (): number => performance.timeOrigin + performance.now();

/** Watches the response until it closes. Settles the call as aborted if the caller disconnected before the end. */
export function follow(delivery: Delivery): void {
  const { exchange, call, ledger, sockets } = delivery;
  const { request, response } = exchange;
  response.once('finish', () => settleFinished(call, response.statusCode, ledger));
  // A write into a socket that the peer has closed emits an error; `close` follows and settles the call.
  response.on('error', () => undefined);
  response.once('close', () => {
    clearTimeout(delivery.timer);
    ledger.settle(call, 'aborted', { abortToCloseMs: sockets.sinceGone(request.socket) });
  });
}

function settleFinished(call: Call, status: number, ledger: Ledger): void {
  ledger.settle(call, status < 400 ? 'completed' : 'failed', { status });
}

/** Runs `action` after `ms` milliseconds unless the caller disconnects first; immediately if `ms` is 0. */
function after(ms: number, delivery: Delivery, action: () => void): void {
  if (ms > 0) delivery.timer = setTimeout(action, ms);
  else action();
}

/** Applies the faults that precede an answer. True if one occurred, in which case there is nothing to deliver. */
export function failFirst(delivery: Delivery): boolean {
  const { call, knobs, exchange, seed } = delivery;
  if (knobs.hang) {
    call.fault = 'hang';
    return true;
  }
  const refusal = refusalOf(knobs);
  if (refusal === null) return false;
  call.fault = knobs.badKey ? 'badKey' : 'fail';
  after(durationOf(1, knobs, seed), delivery, () => sendError(exchange, refusal, knobs.retryAfter));
  return true;
}

function refusalOf({ badKey, fail }: Knobs): ApiError | null {
  if (badKey) return new BadKeyError({ missing: false });
  return fail === null ? null : simulatedFailure(fail);
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

/** Encodes the pieces from `from` to `to` and counts them as sent. */
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

/** The first fault. A fault at the length of the answer comes before the closing chunks; a fault beyond that length never comes. */
function faultAt(knobs: Knobs, total: number): { kind: 'cut' | 'streamError' | 'stall'; at: number } | null {
  const kinds = ['cut', 'streamError', 'stall'] as const;
  const faults = kinds.map((kind) => ({ kind, at: knobs[kind] ?? Infinity }));
  const first = faults.reduce((one, other) => (other.at < one.at ? other : one));
  return first.at > total ? null : first;
}

/** Ends the stream with the provider's error event. The call has failed although its HTTP status is a success. */
function failInside({ exchange, call, ledger }: Delivery, text: string, encoding: BufferEncoding): void {
  call.fault = 'streamError';
  ledger.settle(call, 'failed', { status: exchange.response.statusCode });
  exchange.response.end(text, encoding);
}

export function deliverStream<P>(delivery: Delivery, script: StreamScript<P>): void {
  const { exchange, call, knobs, seed } = delivery;
  const { response } = exchange;
  const { encoding } = script;
  const fault = faultAt(knobs, script.pieces.length);
  const end = fault?.at ?? script.pieces.length;
  const pacer = createPacer(knobs, seed);
  const start = performance.now();
  let sent = 0;

  const finish = (text: string): void => {
    if (fault === null) return void response.end(text + script.tail, encoding);
    if (fault.kind === 'streamError') {
      failInside(delivery, text + script.failure, encoding);
      return;
    }
    if (fault.kind === 'stall') call.fault = 'stall';
    const then = fault.kind === 'cut' ? () => cutSocket(delivery) : undefined;
    // The caller receives only what the kernel has accepted before the cut.
    if (text !== '') response.write(text, encoding, then);
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
    if (text !== '') response.write(text, encoding);
    after(Math.max(1, Math.ceil(pacer.nextAt() - elapsed)), delivery, step);
  };

  response.writeHead(200, { 'content-type': script.contentType, 'cache-control': 'no-cache' });
  if (knobs.ttft > 0 || knobs.tps > 0 || fault !== null) response.flushHeaders();
  step();
}

/** Half of a body whose full content-length was announced, so that the caller can tell that it is incomplete. */
const half = (body: string): string => body.slice(0, body.length / 2).toWellFormed();

export function deliverJson(delivery: Delivery, script: JsonScript): void {
  const { exchange, call, knobs, seed } = delivery;
  const { response } = exchange;
  const fault = faultAt(knobs, script.tokens);
  const garbled = knobs.malformed !== null && knobs.malformed < script.tokens;
  after(durationOf(script.tokens, knobs, seed), delivery, () => {
    if (fault?.kind === 'streamError') {
      call.fault = 'streamError';
      sendError(exchange, simulatedFailure(500));
      return;
    }
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
