import { type PositionQuestion } from '../../shared/platform/kafka/port.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { type Watermark, type Watermarks } from './watermarks.ts';

/**
 * So much is routed again after each assignment, and after Redis came back as another one: the jobs of these messages may
 * be what it lost, if it is a replica that lagged behind. Milliseconds. What was done is found done, which can be said
 * only while an ended job's record is kept: what is older is done.
 */
const REPLAY_MS = 60_000;

/** The job Redis does not know how far the partition was routed, and Kafka knows that it was. */
export class PositionLost extends Error {
  override readonly name = 'PositionLost';
}

export interface PositionOptions {
  watermarks: Watermarks;
  /**
   * What to do where the position is lost: wait for an operator (or for the right Redis); replay all that the topic still
   * holds, of which expired jobs are dropped; or skip to Kafka's committed offset.
   */
  onLost: 'stop' | 'replay' | 'skip';
  /** Milliseconds that an ended job's record is kept. */
  retentionMs: number;
  log: Logger;
}

export interface RouterPosition {
  /** Where to begin. Throws `PositionLost`. */
  of(question: PositionQuestion): Promise<bigint | undefined>;
  /** True while no position is lost. */
  known(): boolean;
}

/** known -> lost -> known: a partition whose position is lost is asked for again until it is there; the others go on. */
export function createPosition({ watermarks, onLost, retentionMs, log }: PositionOptions): RouterPosition {
  const lost = new Set<number>();

  async function find(question: PositionQuestion): Promise<bigint | undefined> {
    const mark = await watermarks.read(question.partition);
    if (!mark) return begin(question);
    const end = await question.offsets.end();
    if (mark.next > end) return beginAnew(question, mark, end);
    if (mark.at === undefined) return mark.next;
    const since = Math.max(0, mark.at - REPLAY_MS, Date.now() - retentionMs);
    const replay = await question.offsets.at(since);
    // No batch begins behind it: it is there, and what lies below is, or has left the topic.
    const reading = watermarks.reading(question.partition);
    if (reading?.mark === mark) reading.reached = replay;
    return replay < mark.next ? replay : mark.next;
  }

  /** The topic was made anew, or lost its end: what it has from a minute before the last routed message on is routed. */
  async function beginAnew(question: PositionQuestion, mark: Watermark, end: bigint): Promise<bigint> {
    const { partition, offsets } = question;
    const next = await offsets.at(Math.max(0, (mark.at ?? 0) - REPLAY_MS));
    const found = { partition, routed: mark.next.toString(), end: end.toString(), next: next.toString() };
    log.error(found, 'The topic of jobs ends before the routed position; routing goes on by time');
    await watermarks.reset(partition, mark, next);
    await watermarks.read(partition);
    return next;
  }

  async function begin({ partition, offsets }: PositionQuestion): Promise<bigint | undefined> {
    const committed = await offsets.committed();
    if (committed === undefined) return undefined;
    const found = { partition, committed: committed.toString() };
    if (onLost === 'stop') throw tell(partition, found);
    log.error(
      { ...found, onLost },
      'The position in the job Redis is lost; going on as ON_LOST_POSITION says',
    );
    return onLost === 'replay' ? offsets.at(0) : committed;
  }

  function tell(partition: number, found: object): PositionLost {
    const message =
      'The job Redis has no watermark of a partition that was routed before: it was emptied, or it is another one. ' +
      'Nothing of the partition is routed until it is back, or ON_LOST_POSITION is set to replay or skip';
    if (!lost.has(partition)) log.fatal(found, message);
    return new PositionLost(message);
  }

  return {
    of: async (question) => {
      const { partition, signal } = question;
      try {
        const position = await find(question);
        lost.delete(partition);
        return position;
      } catch (error) {
        if (error instanceof PositionLost && !signal.aborted) {
          lost.add(partition);
          signal.addEventListener('abort', () => lost.delete(partition), { once: true });
        }
        throw error;
      }
    },
    known: () => lost.size === 0,
  };
}
