import { isTerminal } from '../../shared/contracts/job-event.ts';
import { admitAgain } from '../../shared/jobs/joblog/admit-again.ts';
import { type JobLog } from '../../shared/jobs/joblog/job-log.ts';
import { type StoredLetter } from '../../shared/jobs/dead-letters.ts';
import { type OutboundMessage } from '../../shared/platform/kafka/port.ts';
import { DEAD_LETTER_LIFETIME_MS, type Topics } from '../../shared/platform/kafka/topics.ts';
import { type ReplayMarks } from './replay-marks.ts';
import { jobIdOf, type JobRecord, judgeLetter, readPayload } from './verdict.ts';

export type ReplayResult =
  | { result: 'replayed' }
  | { result: 'already replayed'; at: string }
  | { result: 'not replayable'; why: string };

export interface ReplayDeps {
  /** Resolves when the broker has acknowledged the message. */
  send: (message: OutboundMessage) => Promise<void>;
  topics: Topics;
  jobLog: JobLog;
  marks: ReplayMarks;
  /** How long the record of an ended job is kept, in milliseconds. */
  retentionMs: number;
  force: boolean;
}

/**
 * Replays one dead letter. States: unmarked -> (admitted again) -> sent and acknowledged -> marked.
 *
 * The mark is written last. After a crash before the mark, the next replay sends the message again. This is harmless, like any
 * redelivery: the router finds the job's record, and dispatches an open job under the same ids or drops one that has ended; the
 * metrics service counts each event id once.
 */
export async function replayLetter(deps: ReplayDeps, letter: StoredLetter): Promise<ReplayResult> {
  const at = await deps.marks.get(letter.origin);
  if (at !== null) return { result: 'already replayed', at };
  const payload = readPayload(letter, deps.topics);
  const record = await readRecord(deps.jobLog, jobIdOf(letter, payload, deps.topics));
  const { retentionMs, force } = deps;
  const verdict = judgeLetter({ payload, record, now: Date.now(), retentionMs, force });
  if (!verdict.send) return { result: 'not replayable', why: verdict.why };

  if (verdict.admit) await admitAgain(deps.jobLog, verdict.admit);
  const { key, value, headers } = letter;
  await deps.send({ topic: verdict.topic, key, value, headers: { ...headers } });
  await deps.marks.set(letter.origin, DEAD_LETTER_LIFETIME_MS);
  return { result: 'replayed' };
}

async function readRecord(jobLog: JobLog, jobId: string | undefined): Promise<JobRecord | undefined> {
  const view = jobId === undefined ? undefined : await jobLog.read(jobId, 0);
  if (!view) return undefined;
  const terminal = view.entries.map(({ event }) => event).find(isTerminal);
  const code = terminal?.type === 'failed' ? `${terminal.error.code}, ` : '';
  const ending = terminal && `${terminal.type}, ${code}${new Date(terminal.at).toISOString()}`;
  return { state: view.state, ending };
}
