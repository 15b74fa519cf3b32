import { type ChatRequest } from '../../contracts/chat-request.ts';
import { measureRequest } from './measure-request.ts';

/** What the model can take, in tokens. */
export interface ModelWindow {
  contextWindow: number;
  /** The longest answer that the model gives. */
  maxOutput?: number | undefined;
}

/** The window is filled up to here, because other providers count more tokens than o200k does. */
const FILL = 0.9;
/** What an answer gets when the client set no limit: at most this, and at most a quarter of the window. */
const DEFAULT_OUTPUT = 4_096;

/** Tokens that the request and its context may fill: the window, with a margin, less what the answer may take. */
export function tokensForInput(request: ChatRequest, window: ModelWindow): number {
  return Math.floor(window.contextWindow * FILL) - reservedOutput(request, window);
}

/** Those that are left for messages, beside the request's tools, formats and whatever else its model reads. */
export function tokensForMessages(request: ChatRequest, window: ModelWindow): number {
  return tokensForInput(request, window) - measureRequest({ ...request, messages: [] }).exact();
}

function reservedOutput(request: ChatRequest, window: ModelWindow): number {
  const { contextWindow, maxOutput = Infinity } = window;
  const requested = request.max_completion_tokens ?? request.max_tokens;
  if (requested) return Math.min(requested, maxOutput);
  return Math.min(DEFAULT_OUTPUT, Math.floor(contextWindow / 4), maxOutput);
}
