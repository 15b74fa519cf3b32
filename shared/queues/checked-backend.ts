import { createRedisBackend } from 'bullmq';

/**
 * BullMQ's own backend, except that adding flows fails when Redis refused any of their nodes: `addBulk` ignores the errors of single
 * commands inside its MULTI (BullMQ 6.7, `FlowProducer.addBulk`), so that a job could be taken for queued that is not there.
 */
export const createCheckedBackend: typeof createRedisBackend = (...options) => {
  const backend = createRedisBackend(...options);
  const addFlow = backend.addFlow.bind(backend);
  backend.addFlow = async (entries) => {
    const results = await addFlow(entries);
    for (const [error, id] of results) {
      if (error) throw error;
      if (typeof id === 'number') throw new Error(`BullMQ refused a node (code ${id})`);
    }
    return results;
  };
  return backend;
};
