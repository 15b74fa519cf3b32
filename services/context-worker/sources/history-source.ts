import { type BlobStore } from '../../../shared/blobs/blob-store.ts';
import { chooseHistory } from '../../../shared/history/choose-history.ts';
import { loadRequest } from '../../../shared/contracts/load-request.ts';
import { type ModelLimits } from '../../../shared/models/model-limits.ts';
import { tokensForMessages } from '../../../shared/models/prompt-budget.ts';
import { type ContextSource } from './context-source.ts';

export interface HistorySourceDeps {
  blobs: Pick<BlobStore, 'get'>;
  limits: ModelLimits;
}

/** A long thread: which of its messages go to the model. */
export function createHistorySource({ blobs, limits }: HistorySourceDeps): ContextSource<'history'> {
  return {
    name: 'history',
    fetch: async ({ request: ref, model, budget, beside }, { question }, signal) => {
      const request = await loadRequest(blobs, ref, signal);
      const window = tokensForMessages(request, await limits.of(model)) - beside;
      const budgetTokens = Math.min(budget ?? window, window);
      return { kind: 'history', ...chooseHistory({ messages: request.messages, question, budgetTokens }) };
    },
  };
}
