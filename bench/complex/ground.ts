import { setModelKnobs } from '../../test/faults/support/simulator.ts';
import { startRetrievalService } from '../../test/harness/retrieval-service.ts';
import { type ChatCaller, createChatCaller } from '../load/chat-call.ts';
import type { PieceBudgets } from './bodies.ts';
import { type ComplexRequest, DELAYS } from './trace.ts';

export const EMBEDDING_MODEL = 'text-embedding-sim';
export const BUDGETS: PieceBudgets = { documents: 6_000, history: 2_000 };

/** The environment of a trace: a retrieval service, and embeddings with a delay. */
export interface ComplexGround {
  caller: ChatCaller;
  remoteUrl: string;
  /** The variables for services that use both. */
  env: Record<string, string>;
  close(): Promise<void>;
}

export async function openComplexGround(trace: readonly ComplexRequest[]): Promise<ComplexGround> {
  const remoteMs = new Map(trace.map((request) => [request.question, request.remoteMs]));
  const service = await startRetrievalService({
    passages: [{ text: 'Case notes are kept at the junction.', title: 'Case notes' }],
    // The simulator's knobs follow after the question.
    delayMs: (query) => remoteMs.get(query.slice(0, query.indexOf('?') + 1)) ?? DELAYS.remote,
  });
  const caller = createChatCaller();
  await setModelKnobs(EMBEDDING_MODEL, { ttft: DELAYS.embedding });
  return {
    caller,
    remoteUrl: service.url,
    env: {
      RETRIEVAL_SOURCES: JSON.stringify([{ name: 'cases', url: service.url, always: true, required: true }]),
      EMBEDDING_MODEL,
      CONTEXT_TOKENS: String(BUDGETS.documents),
      HISTORY_TOKENS: String(BUDGETS.history),
    },
    close: async () => {
      caller.close();
      await service.close();
      await setModelKnobs(EMBEDDING_MODEL, {});
    },
  };
}
