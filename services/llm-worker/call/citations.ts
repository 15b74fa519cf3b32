import { type PassagesPiece } from '../../../shared/contracts/flow.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { scanUnits } from '../../../shared/content/documents/scan-units.ts';
import { words } from '../../../shared/content/documents/words.ts';

type CitationEvent = Extract<JobEvent, { type: 'citation' }>;
export type Citation = Omit<CitationEvent, 'type' | 'choice' | 'at'>;

/**
 * A sentence cites a passage that contains at least this share, and this number, of its words of four letters or more and its
 * numbers. Unigram precision, as ROUGE-1 counts it (Lin 2004, "ROUGE", section 2), with each word once.
 */
const COVERED = 0.7;
const WORDS = 3;

/** Characters that are searched at once while the text is still streaming: a few milliseconds with many passages. */
const SLICE = 8_192;

/**
 * Finds the passages of the prompt that support an answer's sentences. Each sentence cites the passage that contains most of its
 * words, provided that it covers enough of the sentence (`COVERED`, `WORDS`). Adjacent sentences on the same passage share one
 * citation. Citations are found in the finished text, so they need no support from the model; paraphrased sentences are not cited.
 * The result is in the order of the text.
 */
export function citationsOf(text: string, pieces: readonly PassagesPiece[]): Citation[] {
  const finder = createFinder(indexOf(pieces));
  finder.add(text);
  return finder.end();
}

/** Adds the citations of each choice's whole text right before the choice ends. `history`: the job's events before this attempt. */
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

/** Finds the citations of one text while it streams, so that only its last part is left to search when it ends. */
interface Finder {
  add(delta: string): void;
  /** Searches the next slice, if it is complete. */
  look(): void;
  end(): Citation[];
}

function createFinder(index: PassageIndex): Finder {
  const citations: Citation[] = [];
  let rest = '';
  let restStart = 0;
  /** True while no uncited sentence follows the last citation. */
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

  /** Unless the text is final, its last sentence may still grow, so it stays in `rest`. */
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
  /** Significant word -> ascending positions, in `passages`, of the passages that contain it. */
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

/** The passage that covers most of the sentence; the first of equals. */
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

/** The significant words of a text: short words occur everywhere, except for numbers. */
function telling(text: string): ReadonlySet<string> {
  return new Set(
    words(text).filter((word) => word.length >= LETTERS || NUMBER.test(word) || UNSPACED.test(word)),
  );
}
