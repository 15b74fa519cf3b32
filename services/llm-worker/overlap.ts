/**
 * Drops from a continuation what is already there.
 *
 * States: holding -> passing | diverged. While the new text could still be a repetition it is held back:
 * - it may be the whole answer again, from the beginning: held until it has caught up, and only the rest passes;
 * - it may begin with the end of the partial answer: that end is dropped (at least `MIN_OVERLAP` characters, so that a
 *   chance repetition of a short word stays), and so is the white space that the prefix was sent without.
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

const MIN_OVERLAP = 8;
/** A beginning that agrees this far and then differs is another answer, not a continuation. Characters. */
const SAME_BEGINNING = 32;

export function createOverlapFilter(partial: string): OverlapFilter {
  const sent = partial.trimEnd();
  const tail = partial.slice(sent.length);
  let held = '';
  let passing = false;

  function decide(final: boolean): string {
    if (held.startsWith(partial)) return pass(held.slice(partial.length));
    if (!final && (partial.startsWith(held) || repeatsEnd(partial, held))) return '';
    if (commonBeginning(partial, held) >= SAME_BEGINNING)
      throw new DivergedError('the answer began again and differs');
    return pass(held.slice(overlap(partial, tail, held)));
  }

  function pass(fresh: string): string {
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

const LOOK_BACK = 400;

function overlap(partial: string, tail: string, text: string): number {
  for (let length = Math.min(text.length, partial.length, LOOK_BACK); length >= MIN_OVERLAP; length -= 1) {
    if (partial.endsWith(text.slice(0, length))) return length;
  }
  return tail !== '' && text.startsWith(tail) ? tail.length : 0;
}

function commonBeginning(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return length;
}
