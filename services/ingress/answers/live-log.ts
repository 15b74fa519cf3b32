import { setTimeout as delay } from 'node:timers/promises';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { isStoreAway } from '../../../shared/platform/redis/store-error.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { isTerminal, readEvent } from '../../../shared/contracts/job-event.ts';
import { createFollower, type Follower, SILENCE_MS } from './follower.ts';
import {
  isOpen,
  type JobLog,
  type JobView,
  type SequencedEvent,
} from '../../../shared/jobs/joblog/job-log.ts';

/**
 * Follows the logs of many jobs over one subscription per process.
 *
 * Appends are published to the channel of each process that reads the job. Pub/sub may drop: so a follower hands out
 * only the event that comes next, fills every gap from the stream, and asks the stream when it heard nothing for a while
 * or when the subscription was renewed. One that is read too slowly drops what it heard and finds it in the stream again.
 *
 * While the job Redis is away, followers wait for it, for a minute at most; then they fail with `store_unavailable`.
 */
export interface LiveLog {
  /** The channel that appends reach this process by. */
  readonly channel: string;
  /** True while the subscription stands. */
  subscribed(): boolean;
  /** Listens from this moment on; `end` must be called, whether or not the events were read. */
  follow(jobId: string, options: FollowOptions): Following;
  close(): Promise<void>;
}

export interface FollowOptions {
  /**
   * The job was admitted by this process a moment ago and nothing stands in its log. Else what is there is read first,
   * which makes this process one that appends are published to.
   */
  fresh?: boolean;
  signal: AbortSignal;
}

export interface Following {
  /**
   * The job's events in order from the first, each once, in the groups in which they arrive; ends after the terminal event. To be read
   * once. Throws `log_rewound` when the log lost events that were handed out, also where others stand in their place, `store_unavailable` when the job Redis is away for more
   * than a minute, and the signal's reason when it fires.
   */
  events: AsyncIterable<SequencedEvent[]>;
  /** Before the job's end: this follower leaves it, and `onAbandoned` hears of a job that must end since nobody reads it. */
  end(): void;
}

interface LiveLogOptions {
  log: JobLog;
  /** A connection of its own: it is put into subscriber mode. */
  subscriber: Redis;
  channel: string;
  logger: Logger;
  onAbandoned: (jobId: string) => void;
}

/** What one reading of the stream brings at most: so much of a log a slow reader holds, however long the log is. */
const PAGE_EVENTS = 500;
/** Milliseconds. */
const LONGEST_ABSENCE_MS = 60_000;
const RETRY_MS = 500;
const RETRY_AFTER_S = 2;

export async function createLiveLog(options: LiveLogOptions): Promise<LiveLog> {
  const { log, subscriber, channel, logger } = options;
  const followers = new Map<string, Set<Follower>>();
  const closing = new AbortController();
  const everyFollower = () => [...followers.values()].flatMap((group) => [...group]);

  subscriber.on('message', (_channel: string, message: string) => deliver(message));
  subscriber.on('ready', () => {
    for (const follower of everyFollower()) follower.suspect();
  });
  await subscriber.subscribe(channel);
  const silence = setInterval(() => {
    for (const follower of everyFollower()) follower.suspectIfSilent();
  }, SILENCE_MS / 3);

  function deliver(message: string): void {
    const [jobId = '', first = ''] = message.split(' ', 2);
    const group = followers.get(jobId);
    if (!group) return;
    try {
      const events = parseEvents(message.slice(jobId.length + first.length + 2), Number(first));
      for (const follower of group) follower.push(events, message.length);
    } catch (error) {
      logger.error({ err: error, jobId }, 'A published event could not be read');
      for (const follower of group) follower.suspect();
    }
  }

  function register(jobId: string, follower: Follower): () => boolean {
    const group = followers.get(jobId) ?? new Set();
    followers.set(jobId, group.add(follower));
    return () => {
      group.delete(follower);
      if (group.size > 0) return false;
      followers.delete(jobId);
      return true;
    };
  }

  function follow(jobId: string, { fresh = false, signal }: FollowOptions): Following {
    const follower = createFollower(fresh);
    const unregister = register(jobId, follower);
    const onAbort = () => follower.wake();
    signal.addEventListener('abort', onAbort);
    const handedOut: HandedOut = { last: 0, attempts: new Map() };
    let ended = false;

    async function* events(): AsyncGenerator<SequencedEvent[], void, undefined> {
      while (!ended) {
        signal.throwIfAborted();
        const group = await next(jobId, follower, handedOut, signal);
        note(handedOut, group);
        ended = group.some(({ event }) => isTerminal(event));
        if (group.length > 0) yield group;
        else await follower.woken();
      }
    }

    return {
      events: events(),
      end: () => {
        signal.removeEventListener('abort', onAbort);
        const wasLast = unregister();
        if (wasLast && !ended) leave(jobId);
      },
    };
  }

  function leave(jobId: string): void {
    retryingReads(() => log.leave(jobId, channel), closing.signal).then(
      (result) => {
        if (result === 'cancelling') options.onAbandoned(jobId);
      },
      // The sweep sees a job whose readers are gone as well, only later.
      (error: unknown) => logger.warn({ err: error, jobId }, 'A reader could not leave a job'),
    );
  }

  /** Tries again while Redis is away. */
  async function retryingReads<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const until = performance.now() + LONGEST_ABSENCE_MS;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!isStoreAway(error)) throw error;
        if (performance.now() > until)
          throw new TurnoutError('store_unavailable', { cause: error, retryAfterS: RETRY_AFTER_S });
      }
      await delay(RETRY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }

  /** What comes directly after what was handed out: from what was published, or from the stream where that is not certain. */
  async function next(
    jobId: string,
    follower: Follower,
    handedOut: HandedOut,
    signal: AbortSignal,
  ): Promise<SequencedEvent[]> {
    const { last } = handedOut;
    if (!follower.mustAsk()) {
      const published = follower.take(last);
      if (published.length > 0 || !follower.mustAsk()) return published;
    }
    const view = await retryingReads(() => log.read(jobId, last, channel, PAGE_EVENTS), signal);
    if (!view)
      throw new TurnoutError('not_found', { message: 'The job does not exist or its log has expired.' });
    if (isRewritten(view, handedOut)) throw new TurnoutError('log_rewound');
    if (view.lastSequence < last) follower.rewound();
    else follower.restored();
    if (view.entries.length === PAGE_EVENTS) follower.suspect();
    return view.entries;
  }

  return {
    channel,
    subscribed: () => subscriber.status === 'ready',
    follow,
    close: async () => {
      clearInterval(silence);
      closing.abort(new Error('the process is being stopped'));
      await subscriber.quit();
    },
  };
}

/** What one reader has got. */
interface HandedOut {
  /** The sequence of the last event. */
  last: number;
  /** Sequence -> time of each event with which an attempt began. */
  attempts: Map<number, number>;
}

function note(handedOut: HandedOut, group: readonly SequencedEvent[]): void {
  handedOut.last += group.length;
  for (const { sequence, event } of group)
    if (event.type === 'attempt') handedOut.attempts.set(sequence, event.at);
}

/**
 * A Redis that was replaced by an older copy of itself lost the log's end. Its writer sends the same events again; another attempt writes
 * others in their place, and so does a process that ends the job. A reader that went on behind them would get a torn answer.
 */
function isRewritten({ state, lastSequence, lastAttempt }: JobView, { last, attempts }: HandedOut): boolean {
  if (last === 0) return false;
  // The last event of an ended job is its end, which this reader has not got.
  if (!isOpen(state) && lastSequence <= last) return true;
  return (
    lastAttempt !== undefined &&
    lastAttempt.sequence <= last &&
    attempts.get(lastAttempt.sequence) !== lastAttempt.at
  );
}

function parseEvents(json: string, first: number): SequencedEvent[] {
  return (JSON.parse(json) as unknown[]).map((event, i) => ({
    sequence: first + i,
    event: readEvent(event),
  }));
}
