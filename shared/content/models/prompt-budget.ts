import { type ChatRequest } from '../../contracts/chat-request.ts';
import { measureRequest } from './measure-request.ts';

/** The model's limits, in tokens. */
export interface ModelWindow {
  contextWindow: number;
  /** The longest possible answer. */
  maxOutput?: number | undefined;
}

/** Share of the window that is used, since other providers' tokenizers count more tokens than o200k. */
const FILL = 0.9;
/** Tokens reserved for an answer when the client sets no limit: at most this, and at most a quarter of the window. */
const DEFAULT_OUTPUT = 4_096;

/** Tokens for the request and its context: the window with a margin, minus the tokens reserved for the answer. */
export function tokensForInput(request: ChatRequest, window: ModelWindow): number {
  return Math.floor(window.contextWindow * FILL) - reservedOutput(request, window);
}

/** Tokens left for messages, after the request's tools, formats and everything else that the model reads. */
export function tokensForMessages(request: ChatRequest, window: ModelWindow): number {
  return tokensForInput(request, window) - measureRequest({ ...request, messages: [] }).exact();
}

function reservedOutput(request: ChatRequest, window: ModelWindow): number {
  const { contextWindow, maxOutput = Infinity } = window;
  const requested = request.max_completion_tokens ?? request.max_tokens;
  if (requested) return Math.min(requested, maxOutput);
  return Math.min(DEFAULT_OUTPUT, Math.floor(contextWindow / 4), maxOutput);
}
