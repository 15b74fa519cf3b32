import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { type ModelLimits } from '../../../shared/content/models/model-limits.ts';
import { createThreadPool, type ThreadPool } from '../../../shared/platform/util/thread-pool.ts';
import { type ContextSource } from './context-source.ts';
import type * as tasks from './history-tasks.ts';
import { choose } from './history-tasks.ts';

type HistoryTasks = typeof tasks;

export interface HistorySourceDeps {
  blobs: Pick<BlobStore, 'get'>;
  limits: ModelLimits;
  /** For large requests. */
  pool: ThreadPool<HistoryTasks>;
}

export function createHistoryThreads(): ThreadPool<HistoryTasks> {
  return createThreadPool<HistoryTasks>(new URL('./history-tasks.ts', import.meta.url));
}

/**
 * Chooses the messages of a long conversation that go to the model. An inline request is small (32 KB at most) and is handled here. A
 * request sent by claim check goes to a thread as bytes, so that the event loop never parses it.
 */
export function createHistorySource({ blobs, limits, pool }: HistorySourceDeps): ContextSource<'history'> {
  return {
    name: 'history',
    fetch: async ({ request, model, budget, beside }, { user, question }, signal) => {
      const about = { question, window: await limits.of(model), budget, beside };
      if (request.kind === 'inline')
        return { kind: 'history', ...choose({ ...about, request: request.request }) };
      const input = async () => ({ ...about, request: await blobs.get(request, signal) });
      return { kind: 'history', ...(await pool.run('choose', { user, input, signal })) };
    },
  };
}
