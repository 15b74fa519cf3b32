import { type ChatRequest, chatRequest } from '../../../shared/contracts/chat-request.ts';
import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type ModelWindow } from '../../../shared/content/models/prompt-budget.ts';
import { type AssembledPrompt, assemblePrompt, type PromptParts } from './assemble-prompt.ts';

/** The functions that the worker's threads run (`prepare-prompt.ts`). Input and output can be cloned. */

export interface PrepareInput {
  /** The request, or its JSON in UTF-8. */
  request: ChatRequest | Uint8Array;
  parts: Omit<PromptParts, 'request'>;
  window: ModelWindow;
}

/** A refusal is returned, not thrown: an error loses its class when it leaves a thread. */
export type Prepared =
  | { kind: 'prepared'; prompt: AssembledPrompt }
  | { kind: 'refused'; code: ErrorCode; message: string; param: string | undefined };

export function prepare({ request, parts, window }: PrepareInput): Prepared {
  try {
    const asked = request instanceof Uint8Array ? parsed(request) : request;
    return { kind: 'prepared', prompt: assemblePrompt({ ...parts, request: asked }, window) };
  } catch (error) {
    if (!(error instanceof TurnoutError)) throw error;
    return { kind: 'refused', code: error.code, message: error.message, param: error.param };
  }
}

function parsed(bytes: Uint8Array): ChatRequest {
  return chatRequest.parse(JSON.parse(new TextDecoder().decode(bytes)));
}
