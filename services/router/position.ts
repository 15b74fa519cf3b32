import { type PositionQuestion } from '../../shared/platform/kafka/port.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { type Watermark, type Watermarks } from './watermarks.ts';

/**
 * Messages of this long before the watermark are routed again after each assignment, and after Redis was replaced: a replica that
 * lagged behind may have lost their jobs. Milliseconds. A job that is done is recognized by its record, which is kept for a limited
 * time; messages older than that count as done and are not routed again.
 */
const REPLAY_MS = 60_000;

/** The job Redis has no watermark for a partition, although Kafka has a committed offset: it was routed before. */
export class PositionLost extends Error {
  override readonly name = 'PositionLost';
}

export interface PositionOptions {
  watermarks: Watermarks;
  /**
   * What to do when the position is lost. `stop`: wait for an operator, or for the right Redis. `replay`: route everything that the topic
   * still has; expired jobs are dropped. `skip`: continue at Kafka's committed offset.
   */
  onLost: 'stop' | 'replay' | 'skip';
  /** Milliseconds that an ended job's record is kept. */
  retentionMs: number;
  log: Logger;
}

export interface RouterPosition {
  /** The offset to start at. Throws `PositionLost`. */
  of(question: PositionQuestion): Promise<bigint | undefined>;
  /** True while no position is lost. */
  known(): boolean;
}

/** known -> lost -> known: the position of a lost partition is read again until it is there; other partitions continue. */
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
    // No batch starts after `replay`: that message is in the topic, and the messages below it are read first or have left the topic.
    const reading = watermarks.reading(question.partition);
    if (reading?.mark === mark) reading.reached = replay;
    return replay < mark.next ? replay : mark.next;
  }

  /** The topic was recreated, or lost its end: routing continues from one minute before the time of the last routed message. */
  async function beginAnew(question: PositionQuestion, mark: Watermark, end: bigint): Promise<bigint> {
    const { partition, offsets } = question;
    const next = await offsets.at(Math.max(0, (mark.at ?? 0) - REPLAY_MS));
    const found = { partition, routed: mark.next.toString(), end: end.toString(), next: next.toString() };
    log.error(found, 'Jobs topic ends before the routed position; continuing by message time');
    await watermarks.reset(partition, mark, next);
    await watermarks.read(partition);
    return next;
  }

  async function begin({ partition, offsets }: PositionQuestion): Promise<bigint | undefined> {
    const committed = await offsets.committed();
    if (committed === undefined) return undefined;
    const found = { partition, committed: committed.toString() };
    if (onLost === 'stop') throw positionLost(partition, found);
    log.error(
      { ...found, onLost },
      'Watermark missing in the job Redis; continuing as set by ON_LOST_POSITION',
    );
    return onLost === 'replay' ? offsets.at(0) : committed;
  }

  function positionLost(partition: number, found: object): PositionLost {
    const message =
      'The job Redis has no watermark for a partition that was routed before: it was emptied, or it is the wrong Redis. ' +
      'The partition is not routed until the right Redis is back, or until ON_LOST_POSITION is set to replay or skip';
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
