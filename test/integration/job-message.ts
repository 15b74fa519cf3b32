import { newJobId } from '../../shared/platform/ids.ts';
import { type JobMessage } from '../../shared/contracts/job-message.ts';

/** A valid message of `turnout.jobs`. */
export function jobMessage(more: Partial<JobMessage> = {}): JobMessage {
  const request = { model: 'turnout-sim', messages: [{ role: 'user' as const, content: 'Hello' }] };
  return {
    version: 1,
    jobId: newJobId('', 'user-1'),
    user: 'user-1',
    userHash: '0'.repeat(16),
    model: 'turnout-sim',
    question: 'Hello',
    request: { kind: 'inline', request },
    documents: [],
    acceptedAt: Date.now(),
    deadlineAt: Date.now() + 60_000,
    ...more,
  };
}
