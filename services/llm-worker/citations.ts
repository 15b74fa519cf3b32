import { type PassagesPiece } from '../../shared/contracts/flow.ts';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { scanUnits } from '../../shared/documents/scan-units.ts';
import { words } from '../../shared/documents/words.ts';

type CitationEvent = Extract<JobEvent, { type: 'citation' }>;
export type Citation = Omit<CitationEvent, 'type' | 'choice' | 'at'>;

/**
 * How much of a sentence must stand in a passage that it cites, by its words of four letters or more and its numbers, and how
 * many of these must. Unigram precision, as ROUGE-1 counts it (Lin 2004, "ROUGE", section 2), with each word once.
 */
const COVERED = 0.7;
const WORDS = 3;

/**
 * Which passages of the prompt an answer's sentences rest on: for each sentence the one that holds most of its words, if that
 * is most of the sentence; neighbours that rest on the same passage are one citation. Found in the text afterwards, so it asks
 * nothing of the model and works with every one; what the model said in words of its own is not cited. In the order of the text.
 */
export function citationsOf(text: string, pieces: readonly PassagesPiece[]): Citation[] {
  const passages = pieces.flatMap(citable);
  const citations: Citation[] = [];
  for (const { start, end } of passages.length === 0 ? [] : scanUnits(text)) {
    const sentence = text.slice(start, end);
    const found = bestFor(sentence, passages);
    const last = citations.at(-1);
    const until = start + sentence.trimEnd().length;
    if (!found) continue;
    const follows = last?.end !== undefined && text.slice(last.end, start).trim() === '';
    if (last && follows && last.source === found.source && last.position === found.position) last.end = until;
    else citations.push({ ...found, start, end: until });
  }
  return citations;
}

/** Adds to each choice's text, right before its end, the citations of all of it; `history` has what of it was shown before. */
export function createCiter(
  pieces: readonly PassagesPiece[],
  history: readonly JobEvent[],
): (events: readonly JobEvent[]) => JobEvent[] {
  if (pieces.every(({ passages }) => passages.length === 0)) return (events) => [...events];
  const texts = new Map<number, string>();
  const note = (event: JobEvent) => {
    if (event.type === 'text') texts.set(event.choice, (texts.get(event.choice) ?? '') + event.delta);
  };
  history.forEach(note);
  return (events) =>
    events.flatMap((event) => {
      note(event);
      if (event.type !== 'choice_end') return [event];
      const { choice } = event;
      const citations = citationsOf(texts.get(choice) ?? '', pieces);
      return [...citations.map((found): JobEvent => ({ type: 'citation', choice, ...found })), event];
    });
}

interface Citable {
  about: Omit<Citation, 'start' | 'end'>;
  words: ReadonlySet<string>;
}

function citable({ piece: source, name, fileId, passages }: PassagesPiece): Citable[] {
  return passages.map(({ text, position, from }) => {
    const file = from?.fileId ?? fileId;
    return {
      about: {
        ...{ source, position, name: from?.title ?? name },
        ...(file === undefined ? {} : { fileId: file }),
        ...(from?.url === undefined ? {} : { url: from.url }),
      },
      words: telling(text),
    };
  });
}

function bestFor(sentence: string, passages: readonly Citable[]): Citable['about'] | undefined {
  const said = telling(sentence);
  if (said.size < WORDS) return undefined;
  let best: Citable | undefined;
  let most = Math.max(WORDS, Math.ceil(said.size * COVERED)) - 1;
  for (const passage of passages) {
    const covered = [...said].filter((word) => passage.words.has(word)).length;
    if (covered > most) [best, most] = [passage, covered];
  }
  return best?.about;
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
