import { expect, test } from '@jest/globals';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { type JobMessage } from '../../shared/contracts/job-message.ts';
import { newJobId } from '../../shared/platform/ids.ts';
import { TurnoutError } from '../../shared/platform/errors/turnout-error.ts';
import { type JobLog } from '../../shared/jobs/joblog/job-log.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { type Picked } from './pick-assistant.ts';
import { entitlementOf } from '../../shared/policy/access/entitlement.ts';
import { OPEN_POLICY } from '../../shared/policy/access/policy-file.ts';
import { routeBatch, type RouteBatchDeps } from './route-batch.ts';

const job: JobMessage = {
  version: 1,
  jobId: newJobId('', 'u'),
  user: 'u',
  userHash: 'h',
  model: 'auto',
  question: 'Hello',
  documents: [],
  acceptedAt: 1,
  deadlineAt: Date.now() + 60_000,
  assistant: { asked: 'law' },
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

/** Routes a job whose message is delivered again, after the flags changed to legacy. Returns how it ended and what was dispatched. */
async function routedAgain(
  dispatched: boolean,
  picked: Picked | TurnoutError,
): Promise<{ ended: string[]; handedOver: string[] }> {
  const ended: string[] = [];
  const handedOver: string[] = [];
  const jobLog: Partial<JobLog> = {
    now: Date.now,
    route: () => Promise.resolve('again'),
    read: () =>
      Promise.resolve({
        state: 'queued',
        owner: 'u',
        lastSequence: 3,
        deadlineAt: job.deadlineAt,
        createdAt: 1,
        userHash: 'h',
        model: 'auto',
        entries: log.map((event, at) => ({ sequence: at + 1, event })),
      }),
    finish: (_jobId, _finisher, events) => {
      ended.push(...events.map((event) => (event.type === 'failed' ? event.error.code : event.type)));
      return Promise.resolve({ kind: 'over', state: 'failed' });
    },
  };
  const deps = {
    jobLog: jobLog as JobLog,
    dispatch: {
      dispatch: (jobs) => Promise.resolve(void handedOver.push(...jobs.map(({ llm }) => llm.decision.path))),
      has: () => Promise.resolve(dispatched),
      close: () => Promise.resolve(),
    },
    deadLetters: { publish: () => Promise.reject(new Error('nothing is wrong with it')) },
    decide: () => ({ path: 'legacy', reason: 'percentage', epoch: 0, step: 0 }),
    policy: { of: (who) => entitlementOf(OPEN_POLICY, who) },
    context: () => ({ parallel: true, documentTokens: 1_000, historyTokens: undefined, sources: [] }),
    assistants: { pick: () => Promise.resolve(picked), pickAgain: () => picked },
    answers: { consult: () => Promise.resolve({}) },
    isDetailed: () => false,
    flagMetrics: { count: () => undefined },
    relays: { begin: () => undefined },
    retentionMs: 60_000,
    log: silentLogger,
  } satisfies RouteBatchDeps;
  const message = {
    topic: 'jobs',
    partition: 0,
    offset: 7n,
    timestamp: 1,
    key: 'u',
    headers: {},
    value: JSON.stringify(job),
  };
  await routeBatch(deps, { topic: 'jobs', partition: 0, messages: [message] }, 0n);
  return { ended, handedOver };
}

const law: Picked = { model: 'm', sources: [] };

test.each([
  ['its assistant no longer exists', gone],
  ['the flags have changed', law],
])(
  'a dispatched job continues unchanged when its message is delivered again, although %s',
  async (_, picked) => {
    expect(await routedAgain(true, picked)).toEqual({ ended: [], handedOver: [] });
  },
);

test('a job whose router died before the dispatch keeps the backend in its log', async () => {
  expect(await routedAgain(false, law)).toEqual({ ended: [], handedOver: ['litellm'] });
});

test('a job whose router died before the dispatch fails with a typed error when its assistant no longer exists', async () => {
  expect(await routedAgain(false, gone)).toEqual({ ended: ['assistant_not_found'], handedOver: [] });
});
