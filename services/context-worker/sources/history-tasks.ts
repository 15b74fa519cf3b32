import { type ChatRequest, chatRequest } from '../../../shared/contracts/chat-request.ts';
import { type ChosenHistory, chooseHistory } from '../history/choose-history.ts';
import { type ModelWindow, tokensForMessages } from '../../../shared/content/models/prompt-budget.ts';

/** The functions that the context-worker's threads run (`history-source.ts`). Input and output can be cloned. */

export interface ChooseInput {
  /** The request, or its JSON in UTF-8. */
  request: ChatRequest | Uint8Array;
  question: string;
  window: ModelWindow;
  /** Tokens that its messages may fill; undefined: as many as the model accepts. */
  budget: number | undefined;
  /** Tokens of the window that other context pieces may fill. */
  beside: number;
}

export function choose({ request, question, window, budget, beside }: ChooseInput): ChosenHistory {
  const asked = request instanceof Uint8Array ? parsed(request) : request;
  const most = tokensForMessages(asked, window) - beside;
  const budgetTokens = Math.min(budget ?? most, most);
  return chooseHistory({ messages: asked.messages, question, budgetTokens });
}

function parsed(bytes: Uint8Array): ChatRequest {
  return chatRequest.parse(JSON.parse(new TextDecoder().decode(bytes)));
}
