import pLimit from 'p-limit';
import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { type Choice, fillBudget, fitsWhole, wholeDocument } from './choose-passages.ts';
import { type Beside, candidateCount, type Shortlist, shortlist, type ShortlistInput } from './shortlist.ts';
import { shortlistInThread } from './shortlist-in-thread.ts';
import { type Compared, type Similarity } from './similarity.ts';

export interface PassageChooser {
  /**
   * Chooses what goes into the prompt. If the document fits the budget (tokens), all of it. Otherwise the passages that match the
   * question best, by words and, with a `similarity`, by meaning; or the beginning of the document if no passage matches. Passages are
   * not cut. Chooses nothing when the budget is smaller than every candidate.
   *
   * Bytes in `text` are UTF-8. A large text is processed in its own thread, so that it does not block the event loop, and counts as too
   * large to be taken whole. Rejects with the signal's reason when aborted, which also ends the thread.
   */
  choose(input: ChooserInput, signal?: AbortSignal): Promise<Chosen>;
}

export interface ChooserInput extends Pick<ShortlistInput, 'question' | 'budgetTokens'> {
  text: string | Buffer;
  /** Called if the document does not fit whole. */
  similarity?: (() => Similarity) | undefined;
}

export interface Chosen extends Choice {
  /** Why words alone decided although a similarity was given. */
  degraded?: ErrorCode;
}

/** Characters or bytes. Up to this size choosing takes at most ~50 ms; a thread takes ~100 ms to start. */
const LARGE = 512 * 1024;
/**
 * The passages that are embedded for a question when a document's vectors are not stored: the best ones by words, and some from the
 * whole document, because the answer may share no word with the question. They fit into one request: many servers accept at most 32
 * texts.
 */
const COMPARED_BY_WORDS = 24;
const COMPARED_BESIDE = 8;

/** Each large document gets a new thread, which ends with it and frees its memory. */
export function createPassageChooser({ threads = 2 }: { threads?: number } = {}): PassageChooser {
  const limit = pLimit(threads);

  async function choose(input: ChooserInput, signal?: AbortSignal): Promise<Chosen> {
    signal?.throwIfAborted();
    const { question, budgetTokens } = input;
    const small = input.text.length <= LARGE ? input.text.toString() : undefined;
    if (small !== undefined && fitsWhole(small, budgetTokens)) return wholeDocument(small, question);
    const similarity = input.similarity?.();
    const near = await similarity?.nearest(candidateCount(budgetTokens));
    const list = await makeShortlist(
      { text: small ?? input.text, question, budgetTokens, beside: similarity && besideOf(near) },
      signal,
    );
    const compared = near ?? (await similarity?.compare(toCompare(list)));
    return decided(list, budgetTokens, compared);
  }

  function makeShortlist(
    { text, ...input }: Omit<ShortlistInput, 'text'> & Pick<ChooserInput, 'text'>,
    signal: AbortSignal | undefined,
  ): Shortlist | Promise<Shortlist> {
    if (text.length <= LARGE) return shortlist({ text: text.toString(), ...input });
    const utf8 = typeof text === 'string' ? Buffer.from(text) : text;
    return limit(() => shortlistInThread({ utf8, ...input }, signal));
  }

  return { choose };
}

function besideOf(near: Compared | undefined): Beside | undefined {
  if (near === undefined) return { spread: COMPARED_BESIDE };
  return 'cosines' in near ? { positions: [...near.cosines.keys()] } : undefined;
}

function toCompare({ ranked, others }: Shortlist) {
  return [...ranked.slice(0, COMPARED_BY_WORDS), ...others];
}

function decided(list: Shortlist, budgetTokens: number, compared: Compared | undefined): Chosen {
  if (compared === undefined) return fillBudget(list, budgetTokens);
  if ('cosines' in compared) return fillBudget(list, budgetTokens, compared.cosines);
  return { ...fillBudget(list, budgetTokens), degraded: compared.degraded };
}
