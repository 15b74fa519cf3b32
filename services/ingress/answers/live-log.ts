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
 * Appends are published to the channel of every process that reads the job. Pub/sub may drop messages. A follower therefore hands
 * out only the next event in sequence, fills every gap from the stream, and reads the stream after a silence or a renewed
 * subscription. A follower that is read too slowly drops its queue and reads those events from the stream.
 *
 * While the job Redis is unavailable, followers retry for up to a minute; then they fail with `store_unavailable`.
 */
export interface LiveLog {
  /** The channel on which this process receives appends. */
  readonly channel: string;
  /** True while the subscription is active. */
  subscribed(): boolean;
  /** Starts listening immediately. The caller must call `end`, whether or not it reads the events. */
  follow(jobId: string, options: FollowOptions): Following;
  close(): Promise<void>;
}

export interface FollowOptions {
  /**
   * True if this process admitted the job a moment ago and its log is empty. Otherwise the log is read first, which also
   * registers this process's channel for appends.
   */
  fresh?: boolean;
  signal: AbortSignal;
}

export interface Following {
  /**
   * The job's events in order from the first, each once, in groups as they arrive. Ends after the terminal event. Can be iterated
   * only once.
   *
   * Throws `log_rewound` when the log lost events that were handed out, even if other events took their sequences;
   * `store_unavailable` when the job Redis is unavailable for more than a minute; and the signal's reason when it aborts.
   */
  events: AsyncIterable<SequencedEvent[]>;
  /** Ends this follower. If the job has not ended and must end because it lost its last reader, `onAbandoned` is called. */
  end(): void;
}

interface LiveLogOptions {
  log: JobLog;
  /** A dedicated connection, because it is put into subscriber mode. */
  subscriber: Redis;
  channel: string;
  logger: Logger;
  onAbandoned: (jobId: string) => void;
}

/** The maximum number of events read at once. It bounds what a slow reader holds in memory, however long the log is. */
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
      logger.error({ err: error, jobId }, 'Could not parse a published event; reading the stream instead');
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
      // The sweep also detects a job without readers, only later.
      (error: unknown) =>
        logger.warn(
          { err: error, jobId },
          'Could not deregister the reader of a job; the sweep will detect it',
        ),
    );
  }

  /** Retries while Redis is unavailable. */
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

  /** The events directly after the last one handed out: from the published events if these are complete, else from the stream. */
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
      throw new TurnoutError('not_found', { message: 'The job does not exist, or its log has expired.' });
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
      closing.abort(new Error('the process is shutting down'));
      await subscriber.quit();
    },
  };
}

/** What one reader has received. */
interface HandedOut {
  /** The sequence of the last event. */
  last: number;
  /** Sequence -> time of each event that began an attempt. */
  attempts: Map<number, number>;
}

function note(handedOut: HandedOut, group: readonly SequencedEvent[]): void {
  handedOut.last += group.length;
  for (const { sequence, event } of group)
    if (event.type === 'attempt') handedOut.attempts.set(sequence, event.at);
}

/**
 * Whether the log was rewritten behind this reader. If Redis is replaced by an older copy of itself, the log loses its end. A
 * surviving writer resends the same events, but another attempt, or a process that ends the job, writes different ones in their
 * place. A reader that continued after those would get a mixed answer.
 */
function isRewritten({ state, lastSequence, lastAttempt }: JobView, { last, attempts }: HandedOut): boolean {
  if (last === 0) return false;
  // The last event of an ended job is its terminal event, which this reader has not received.
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
