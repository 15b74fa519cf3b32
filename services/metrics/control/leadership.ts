import { type Logger } from '../../../shared/platform/log/logger.ts';
import { periodically } from '../../../shared/platform/util/periodically.ts';
import { type LeaderLease } from './lease.ts';
import { type Term, TermOver } from './term.ts';

/** Leader election: at most one instance of the service leads. */
export interface Leadership {
  start(): void;
  /** The current term; undefined while this instance does not lead. */
  term(): Term | undefined;
  close(): Promise<void>;
}

interface LeadershipOptions {
  lease: Pick<LeaderLease, 'acquire' | 'renew' | 'release'>;
  open: (term: number, signal: AbortSignal) => Promise<Term>;
  /** The leader's periodic work. */
  work: (term: Term) => Promise<void>;
  log: Logger;
}

/** Short enough that two renewals in a row may fail. */
const RENEW_MS = 1_000;
const WORK_MS = 1_000;

/**
 * candidate -> taking over -> leading -> candidate, until it is closed.
 *
 * The lease is renewed independently of the work, which may wait for Kafka for any time. A term ends when its lease turns out to be
 * lost, either in a renewal here or in a commit.
 */
export function createLeadership({ lease, open, work, log }: LeadershipOptions): Leadership {
  let holds = false;
  let taking: Promise<void> | undefined;
  let leading: Term | undefined;
  let ending = new AbortController();

  async function keep(): Promise<void> {
    if (!holds) {
      const term = await lease.acquire();
      if (term === undefined) return;
      holds = true;
      ending = new AbortController();
      taking = takeOver(term).finally(() => (taking = undefined));
      return;
    }
    const isOver = leading?.isOver() ?? false;
    if (!isOver && (await lease.renew())) return;
    log.warn({}, 'Leader lease lost; stepping down');
    await stepDown();
  }

  async function takeOver(term: number): Promise<void> {
    try {
      leading = await open(term, ending.signal);
    } catch (error) {
      log.warn({ err: error, term }, 'Could not start a leader term; releasing the lease');
      holds = false;
      await lease.release().catch(() => undefined); // it expires anyway
    }
  }

  async function stepDown(): Promise<void> {
    ending.abort();
    await taking;
    const ended = leading;
    [holds, leading] = [false, undefined];
    await ended?.close();
  }

  const keeping = periodically({
    everyMs: RENEW_MS,
    run: keep,
    onError: (error) => log.warn({ err: error }, 'Could not acquire or renew the leader lease; retrying'),
  });
  const working = periodically({
    everyMs: WORK_MS,
    run: async () => {
      if (leading) await work(leading);
    },
    onError: (error) => {
      if (!(error instanceof TermOver)) log.warn({ err: error }, 'Leader work failed; retrying');
    },
  });
  return {
    start: () => {
      keeping.start();
      working.start();
    },
    term: () => leading,
    close: async () => {
      await keeping.close();
      const held = holds;
      await stepDown();
      await working.close();
      if (held) await lease.release();
    },
  };
}
