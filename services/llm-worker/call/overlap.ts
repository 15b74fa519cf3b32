import { matchPrefix } from './continuation-prefix.ts';

/**
 * Drops from a continuation what is already there.
 *
 * States: holding -> passing | diverged. While the new text could still be a repetition it is held back.
 *
 * A model that was asked to go on was told the anchor, the last words that it is to begin with:
 * - it begins with them, in quotation marks or our tag or bare: exactly these are dropped, so that a text that says the
 *   same thing twice keeps both;
 * - it begins the whole answer again: held until it has caught up, and only the rest passes;
 * - it repeats more or less of the end than it was asked to: that end is dropped, from `MIN_OVERLAP` characters on;
 * - it begins as the answer did and then goes another way: it has `diverged`, and no concatenation can be right.
 *
 * A model that got the partial answer as the prefix of its own message repeats all of it (Mistral) or nothing. Anything
 * less is a refrain, which is meant, and passes whole.
 *
 * White space that the partial answer was sent without is dropped as well.
 */
export interface OverlapFilter {
  /** The part of the delta, and of what was held, that is new. Throws `DivergedError`. */
  push(delta: string): string;
  /** What is still held when the stream ends. Throws `DivergedError`. */
  flush(): string;
}

export class DivergedError extends Error {
  override readonly name = 'DivergedError';
}

/** A chance repetition of a short word stays. */
const MIN_OVERLAP = 8;
/** A beginning that agrees this far is no chance: it is the answer again. Characters. */
const SAME_BEGINNING = 32;
const LOOK_BACK = 400;

/**
 * Whether a repetition of the partial answer behind itself could be told from an answer that says the same again: a model
 * that has said "1" and goes on with "1 platforms" repeats nothing, it means eleven.
 */
export function isUnmistakable(partial: string): boolean {
  return partial.trim().length >= SAME_BEGINNING;
}

/** `anchor`: the words that the model was asked to begin with; undefined for one that got a prefix of its own message. */
export function createOverlapFilter(partial: string, prefix?: string): OverlapFilter {
  const whole = partial.trim();
  const tail = partial.slice(partial.trimEnd().length);
  let held = '';
  let passing = false;
  /** How much of the partial answer the held text repeats, where no more can be told before it has repeated all. */
  let repeated = 0;
  /** Deltas behind `held` that go on with the repetition: looking at all that is held for each of them would take quadratic time. */
  let later: string[] = [];

  function behindPrefix(final: boolean): string {
    const text = held.trimStart();
    if (!isUnmistakable(partial)) return passBeyond(0, final);
    if (text.startsWith(whole)) return passBeyond(held.length - text.length + whole.length, final);
    if (final || !whole.startsWith(text)) return passBeyond(0, final);
    repeated = text.length;
    return '';
  }

  function asAsked(final: boolean, words: string): string {
    const { end, open } = matchPrefix(held, words);
    if (open && !final) return '';
    if (end !== undefined) return passBeyond(end, final);
    const text = held.trimStart();
    if (!final && whole.startsWith(text)) {
      repeated = text.length;
      return '';
    }
    if (!final && repeatsEnd(partial, held)) return '';
    if (text.startsWith(whole)) return passBeyond(held.length - text.length + whole.length, final);
    if (commonBeginning(whole, text) >= SAME_BEGINNING)
      throw new DivergedError('the answer began again and differs');
    return passBeyond(overlap(partial.trimEnd(), held), final);
  }

  /** Behind the partial answer's last letter comes the white space that it was sent without, if the model sends it. */
  function passBeyond(length: number, final: boolean): string {
    const rest = held.slice(length);
    if (!final && tail.startsWith(rest)) return '';
    passing = true;
    held = '';
    return rest.slice(commonBeginning(tail, rest));
  }

  function goesOnRepeating(delta: string): boolean {
    const until = repeated + delta.length;
    if (repeated === 0 || until >= whole.length || !whole.startsWith(delta, repeated)) return false;
    repeated = until;
    later.push(delta);
    return true;
  }

  function decide(final: boolean): string {
    held += later.join('');
    later = [];
    repeated = 0;
    return prefix === undefined ? behindPrefix(final) : asAsked(final, prefix);
  }

  return {
    push: (delta) => {
      if (passing) return delta;
      if (goesOnRepeating(delta)) return '';
      later.push(delta);
      return decide(false);
    },
    flush: () => (passing || held === '' ? '' : decide(true)),
  };
}

/** True when the text is the beginning of some ending of the partial answer, so that more of it could follow. */
function repeatsEnd(partial: string, text: string): boolean {
  const at = partial.indexOf(text, Math.max(0, partial.length - LOOK_BACK));
  return at >= 0 && at + text.length < partial.length;
}

/** How much of the partial answer's end the text begins with. 0 where that end is itself a repetition: it may go on so. */
function overlap(partial: string, text: string): number {
  const lengths: number[] = [];
  for (let length = Math.min(text.length, partial.length, LOOK_BACK); length >= MIN_OVERLAP; length -= 1)
    if (partial.endsWith(text.slice(0, length))) lengths.push(length);
  const [longest = 0, shorter] = lengths;
  const repetitive = shorter !== undefined || partial.endsWith(text.slice(0, longest).repeat(2));
  return repetitive ? 0 : longest;
}

function commonBeginning(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return length;
}
