import { type PassagesPiece } from '../../../shared/contracts/flow.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { scanUnits } from '../../../shared/content/documents/scan-units.ts';
import { words } from '../../../shared/content/documents/words.ts';

type CitationEvent = Extract<JobEvent, { type: 'citation' }>;
export type Citation = Omit<CitationEvent, 'type' | 'choice' | 'at'>;

/**
 * How much of a sentence must stand in a passage that it cites, by its words of four letters or more and its numbers, and how
 * many of these must. Unigram precision, as ROUGE-1 counts it (Lin 2004, "ROUGE", section 2), with each word once.
 */
const COVERED = 0.7;
const WORDS = 3;

/** Characters that are looked at in one go while the text still comes: a few milliseconds with many passages. */
const SLICE = 8_192;

/**
 * Which passages of the prompt an answer's sentences rest on: for each sentence the one that holds most of its words, if that
 * is most of the sentence; neighbours that rest on the same passage are one citation. Found in the text afterwards, so it asks
 * nothing of the model and works with every one; what the model said in words of its own is not cited. In the order of the text.
 */
export function citationsOf(text: string, pieces: readonly PassagesPiece[]): Citation[] {
  const finder = createFinder(indexOf(pieces));
  finder.add(text);
  return finder.end();
}

/** Adds to each choice's text, right before its end, the citations of all of it; `history` has what of it was shown before. */
export function createCiter(
  pieces: readonly PassagesPiece[],
  history: readonly JobEvent[],
): (events: readonly JobEvent[]) => JobEvent[] {
  if (pieces.every(({ passages }) => passages.length === 0)) return (events) => [...events];
  const index = indexOf(pieces);
  const finders = new Map<number, Finder>();
  const finderOf = (choice: number) => {
    const finder = finders.get(choice) ?? createFinder(index);
    finders.set(choice, finder);
    return finder;
  };
  const note = (event: JobEvent) => {
    if (event.type === 'text') finderOf(event.choice).add(event.delta);
  };
  history.forEach(note);
  return (events) =>
    events.flatMap((event) => {
      note(event);
      if (event.type === 'text') finderOf(event.choice).look();
      if (event.type !== 'choice_end') return [event];
      const { choice } = event;
      const citations = finderOf(choice).end();
      return [...citations.map((found): JobEvent => ({ type: 'citation', choice, ...found })), event];
    });
}

/** Finds the citations of one text while it comes, so that no more than its last part is left to be looked at when it ends. */
interface Finder {
  add(delta: string): void;
  /** Looks at the next slice, if it is there. */
  look(): void;
  end(): Citation[];
}

function createFinder(index: PassageIndex): Finder {
  const citations: Citation[] = [];
  let rest = '';
  let restStart = 0;
  /** Nothing that is not cited stands behind the last citation. */
  let unbroken = false;

  function take(sentence: string, start: number): void {
    const found = bestFor(sentence, index);
    const said = sentence.trimEnd();
    const last = citations.at(-1);
    const until = start + said.length;
    if (!found) unbroken &&= said === '';
    else if (last && unbroken && last.source === found.source && last.position === found.position)
      last.end = until;
    else citations.push({ ...found, start, end: until });
    unbroken ||= found !== undefined;
  }

  /** Where the text goes on, the last sentence may as well, and is left. */
  function scan(text: string, final: boolean): void {
    const units = [...scanUnits(text)];
    const whole = final ? units : units.slice(0, -1);
    for (const { start, end } of whole) take(text.slice(start, end), restStart + start);
    const length = whole.at(-1)?.end ?? 0;
    rest = rest.slice(length);
    restStart += length;
  }

  return {
    add: (delta) => {
      rest += delta;
    },
    look: () => {
      if (rest.length >= SLICE) scan(rest.slice(0, SLICE), false);
    },
    end: () => {
      scan(rest, true);
      return citations;
    },
  };
}

type About = Omit<Citation, 'start' | 'end'>;

interface PassageIndex {
  /** In the order of the prompt. */
  passages: About[];
  /** Telling word -> positions in `passages` of those that have it, ascending. */
  having: ReadonlyMap<string, readonly number[]>;
}

function indexOf(pieces: readonly PassagesPiece[]): PassageIndex {
  const passages: About[] = [];
  const having = new Map<string, number[]>();
  for (const { piece: source, name, fileId, passages: texts } of pieces)
    for (const { text, position, from } of texts) {
      const file = from?.fileId ?? fileId;
      for (const word of telling(text)) {
        const positions = having.get(word);
        if (positions) positions.push(passages.length);
        else having.set(word, [passages.length]);
      }
      passages.push({
        source,
        position,
        name: from?.title ?? name,
        ...(file === undefined ? {} : { fileId: file }),
        ...(from?.url === undefined ? {} : { url: from.url }),
      });
    }
  return { passages, having };
}

/** Of passages that hold as much, the first. */
function bestFor(sentence: string, { passages, having }: PassageIndex): About | undefined {
  const said = telling(sentence);
  if (said.size < WORDS) return undefined;
  const covered = new Uint32Array(passages.length);
  for (const word of said) for (const at of having.get(word) ?? []) covered[at] = (covered[at] ?? 0) + 1;
  const most = covered.reduce((one, other) => Math.max(one, other), 0);
  if (most < Math.max(WORDS, Math.ceil(said.size * COVERED))) return undefined;
  return passages[covered.indexOf(most)];
}

const LETTERS = 4;
const NUMBER = /^\p{N}+$/u;
const UNSPACED = /^[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]{2}$/u;

/** The words of a text that tell something: short ones are the same everywhere, but for numbers. */
function telling(text: string): ReadonlySet<string> {
  return new Set(
    words(text).filter((word) => word.length >= LETTERS || NUMBER.test(word) || UNSPACED.test(word)),
  );
}
