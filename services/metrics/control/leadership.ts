import { type Logger } from '../../../shared/platform/log/logger.ts';
import { periodically } from '../../../shared/platform/util/periodically.ts';
import { type LeaderLease } from './lease.ts';
import { type Term, TermOver } from './term.ts';

/** Of all instances of the service one leads. */
export interface Leadership {
  start(): void;
  /** Undefined while somebody else leads, or nobody. */
  term(): Term | undefined;
  close(): Promise<void>;
}

interface LeadershipOptions {
  lease: Pick<LeaderLease, 'acquire' | 'renew' | 'release'>;
  open: (term: number, signal: AbortSignal) => Promise<Term>;
  /** What a leader does, again and again. */
  work: (term: Term) => Promise<void>;
  log: Logger;
}

/** Often enough that two renewals may fail. */
const RENEW_MS = 1_000;
const WORK_MS = 1_000;

/**
 * candidate -> taking over -> leading -> candidate, until it is closed.
 *
 * The lease is renewed apart from the work, which waits for Kafka as long as that takes. A term ends when its lease is found lost:
 * here, or by what it wanted to commit.
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
    log.warn({}, 'The lease was lost: another one leads the rollout');
    await stepDown();
  }

  async function takeOver(term: number): Promise<void> {
    try {
      leading = await open(term, ending.signal);
    } catch (error) {
      log.warn({ err: error, term }, 'A term could not begin');
      holds = false;
      await lease.release().catch(() => undefined); // it runs out by itself
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
    onError: (error) => log.warn({ err: error }, 'The lease of the rollout’s leader could not be kept'),
  });
  const working = periodically({
    everyMs: WORK_MS,
    run: async () => {
      if (leading) await work(leading);
    },
    onError: (error) => {
      if (!(error instanceof TermOver)) log.warn({ err: error }, 'The leader could not do its work');
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
