/**
 * Drops from a continuation what is already there.
 *
 * States: holding -> passing | diverged. While the new text could still be a repetition it is held back:
 * - it may be the whole answer again, from the beginning: held until it has caught up, and only the rest passes;
 * - it may begin with the anchor, the last words that the model was asked to begin with: exactly these are dropped, so that
 *   a text that says the same thing twice keeps both;
 * - it may repeat more or less of the end than it was asked to: that end is dropped, from `MIN_OVERLAP` characters on.
 * White space that the partial answer was sent without is dropped as well.
 * A text that begins as the answer did and then goes another way has `diverged`: no concatenation can be right.
 */
export interface OverlapFilter {
  /** The part of the delta, and of what was held, that is new. Throws `DivergedError`. */
  push(delta: string): string;
  /** What is still held when the stream ends. */
  flush(): string;
}

export class DivergedError extends Error {
  override readonly name = 'DivergedError';
}

/** A chance repetition of a short word stays. */
const MIN_OVERLAP = 8;
/** A beginning that agrees this far and then differs is another answer, not a continuation. Characters. */
const SAME_BEGINNING = 32;
const LOOK_BACK = 400;

/**
 * `anchor`: the words that the model was asked to begin with; undefined for one that got the partial answer as the prefix
 * of its own message: it repeats all of it (Mistral) or nothing, and its own repetitions are meant.
 */
export function createOverlapFilter(partial: string, anchor?: string): OverlapFilter {
  const tail = partial.slice(partial.trimEnd().length);
  let held = '';
  let passing = false;

  function decide(final: boolean): string {
    if (held.startsWith(partial)) return pass(partial.length);
    const mayGrow = (known: string) => !final && known.startsWith(held);
    if (mayGrow(partial)) return '';
    if (anchor !== undefined && held.startsWith(anchor))
      return mayGrow(anchor + tail) ? '' : passBeyond(anchor.length);
    if (anchor !== undefined && (mayGrow(anchor) || (!final && repeatsEnd(partial, held)))) return '';
    if (commonBeginning(partial, held) >= SAME_BEGINNING)
      throw new DivergedError('the answer began again and differs');
    const repeated = anchor === undefined ? 0 : overlap(partial, held);
    return repeated > 0 ? pass(repeated) : passBeyond(0);
  }

  /** Behind the partial answer's last letter comes the white space that it was sent without, if the model sends it. */
  function passBeyond(length: number): string {
    return pass(held.startsWith(tail, length) ? length + tail.length : length);
  }

  function pass(from: number): string {
    const fresh = held.slice(from);
    passing = true;
    held = '';
    return fresh;
  }

  return {
    push: (delta) => {
      if (passing) return delta;
      held += delta;
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
