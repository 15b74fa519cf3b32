import { matchPrefix } from './continuation-prefix.ts';

/**
 * Drops from a continuation the text that the partial answer already contains.
 *
 * States: holding -> passing | diverged. Text is held back while it could still be a repetition.
 *
 * A model that was asked to continue was given the continuation prefix, the last words of the partial answer, to begin with:
 * - It begins with the prefix, in quotation marks, in our tags or bare: exactly the prefix is dropped, so an intended repetition stays.
 * - It starts the whole answer again: the text is held until it has caught up, and only the rest passes.
 * - It repeats more or less of the end than it was asked to: the repeated end is dropped if it has at least `MIN_OVERLAP` characters.
 * - It starts as the answer did and then differs: it has `diverged`, and no concatenation can be correct.
 *
 * A model that got the partial answer as the beginning of its own message (prefill) repeats all of it (Mistral) or nothing. A shorter
 * repetition, such as a refrain, is intended and passes unchanged.
 *
 * White space that was trimmed from the end of the partial answer is dropped as well, if the model sends it again.
 */
export interface OverlapFilter {
  /** Returns the new part of the held text and the delta. Throws `DivergedError`. */
  push(delta: string): string;
  /** Returns the new part of the text that is still held when the stream ends. Throws `DivergedError`. */
  flush(): string;
}

export class DivergedError extends Error {
  override readonly name = 'DivergedError';
}

/** Shorter repetitions may be chance, and stay. Characters. */
const MIN_OVERLAP = 8;
/** A text that agrees with the start of the answer for this long is the answer again, not chance. Characters. */
const SAME_BEGINNING = 32;
const LOOK_BACK = 400;

/**
 * Whether the partial answer is long enough to tell its repetition from new text. A model that has written "1" and continues with
 * "1 platforms" repeats nothing: it means eleven.
 */
export function isUnmistakable(partial: string): boolean {
  return partial.trim().length >= SAME_BEGINNING;
}

/** `prefix`: the words that the model was asked to begin with; undefined for prefill. */
export function createOverlapFilter(partial: string, prefix?: string): OverlapFilter {
  const whole = partial.trim();
  const tail = partial.slice(partial.trimEnd().length);
  let held = '';
  let passing = false;
  /** The length of the partial answer that the held text repeats so far, while nothing can be decided before it has repeated all. */
  let repeated = 0;
  /** Deltas after `held` that continue the repetition. Examining the whole held text for each delta would take quadratic time. */
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
      throw new DivergedError('the model started the answer again and diverged from it');
    return passBeyond(overlap(partial.trimEnd(), held), final);
  }

  /** Drops the repetition and, after it, white space that was trimmed from the partial answer and that the model sends again. */
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

/** True when the text is a proper prefix of some suffix of the partial answer, so that more of that suffix could follow. */
function repeatsEnd(partial: string, text: string): boolean {
  const at = partial.indexOf(text, Math.max(0, partial.length - LOOK_BACK));
  return at >= 0 && at + text.length < partial.length;
}

/** The length of the partial answer's end with which the text begins. 0 if that end itself repeats, because the text may continue it. */
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
