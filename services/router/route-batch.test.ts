import { expect, test } from '@jest/globals';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { type JobMessage } from '../../shared/contracts/job-message.ts';
import { newJobId } from '../../shared/contracts/ids.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { type JobLog } from '../../shared/joblog/job-log.ts';
import { silentLogger } from '../../shared/log/logger.ts';
import { routeBatch, type RouteBatchDeps } from './route-batch.ts';

const job: JobMessage = {
  ...{ version: 1, jobId: newJobId('', 'u'), user: 'u', userHash: 'h', model: 'auto', question: 'Hello' },
  ...{ documents: [], acceptedAt: 1, deadlineAt: Date.now() + 60_000, assistant: { asked: 'law' } },
  request: { kind: 'inline', request: { model: 'auto', messages: [{ role: 'user', content: 'Hello' }] } },
};
const log: JobEvent[] = [
  { type: 'accepted', at: 1, model: 'auto' },
  {
    type: 'routed',
    at: 2,
    path: 'litellm',
    reason: 'percentage',
    epoch: 0,
    step: 0,
    promptTokens: 1,
    model: 'm',
  },
  { type: 'assistant', name: 'law', version: 'v', model: 'm', reason: 'explicit', scores: [] },
];
const gone = new TurnoutError('assistant_not_found');

/** A job whose message comes again when its assistant has gone; what it ended with, if with anything. */
async function routedAgain(dispatched: boolean): Promise<{ ended: string[]; handedOver: number }> {
  const ended: string[] = [];
  let handedOver = 0;
  const jobLog: Partial<JobLog> = {
    route: () => Promise.resolve('again'),
    read: () =>
      Promise.resolve({
        ...{ state: 'queued', owner: 'u', lastSequence: 3, deadlineAt: job.deadlineAt, createdAt: 1 },
        ...{ userHash: 'h', model: 'auto', entries: log.map((event, at) => ({ sequence: at + 1, event })) },
      }),
    finish: (_jobId, _finisher, events) => {
      ended.push(...events.map((event) => (event.type === 'failed' ? event.error.code : event.type)));
      return Promise.resolve({ kind: 'over', state: 'failed' });
    },
  };
  const deps = {
    jobLog: jobLog as JobLog,
    dispatch: {
      dispatch: (jobs) => Promise.resolve(void (handedOver += jobs.length)),
      has: () => Promise.resolve(dispatched),
      close: () => Promise.resolve(),
    },
    deadLetters: { bury: () => Promise.reject(new Error('nothing is wrong with it')) },
    decide: () => ({ path: 'litellm', reason: 'percentage', epoch: 0, step: 0 }),
    context: () => ({ parallel: true, documentTokens: 1_000, historyTokens: undefined, sources: [] }),
    assistants: { pick: () => Promise.resolve(gone), pickAgain: () => gone },
    answers: { consult: () => Promise.resolve({}) },
    relays: { begin: () => undefined },
    ...{ retentionMs: 60_000, log: silentLogger },
  } satisfies RouteBatchDeps;
  const message = {
    ...{ topic: 'jobs', partition: 0, offset: 7n, timestamp: 1, key: 'u', headers: {} },
    value: JSON.stringify(job),
  };
  await routeBatch(deps, { topic: 'jobs', partition: 0, messages: [message] }, 0n);
  return { ended, handedOver };
}

test('a job that was dispatched runs on, although its assistant has gone when its message comes again', async () => {
  expect(await routedAgain(true)).toEqual({ ended: [], handedOver: 0 });
});

test('one whose router died before it was dispatched fails with a typed error', async () => {
  expect(await routedAgain(false)).toEqual({ ended: ['assistant_not_found'], handedOver: 0 });
});
