import { expect, test } from '@jest/globals';
import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { AttemptOver, createAttemptWriter } from './attempt-writer.ts';
import { type JobLog } from '../../../shared/jobs/joblog/job-log.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { answerJob, type AnswerJobOptions } from './answer-job.ts';
import { createBreakers } from './breakers.ts';

const body = { model: 'm', messages: [{ role: 'user', content: 'Why?' }] } as ChatRequest;

test('an attempt that has lost its fence makes no further call', async () => {
  let calls = 0;
  const writer = createAttemptWriter({
    log: { append: () => Promise.resolve({ kind: 'fenced' }) } as Partial<JobLog> as JobLog,
    jobId: 'job_1',
    fence: { counter: 2, nonce: 'n' },
    lastSequence: 3,
    onCancel: () => undefined,
  });
  const options = {
    job: { jobId: 'job_1', model: 'm', deadlineAt: Date.now() + 60_000, decision: { path: 'litellm' } },
    attempt: 2,
    body,
    path: { open: () => ((calls += 1), Promise.reject(new Error('called'))) },
    history: [],
    writer,
    signal: writer.lost,
    rules: {
      maxCallsPerModel: 1,
      unreachableGraceMs: 0,
      onLostAttempt: 'continue',
      fallbacks: {},
      timeouts: { firstTokenMs: 60_000, betweenTokensMs: 60_000 },
    },
    now: Date.now,
    limits: { of: () => Promise.resolve({ prefill: false }) },
    breakers: createBreakers(silentLogger),
    callLog: { ended: () => undefined },
    mayUseModel: () => true,
  } as unknown as AnswerJobOptions;
  await expect(answerJob(options)).rejects.toBeInstanceOf(AttemptOver);
  expect(calls).toBe(0);
});
