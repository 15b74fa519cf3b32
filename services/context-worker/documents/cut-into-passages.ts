import { scanUnits, type Unit } from '../../../shared/content/documents/scan-units.ts';

/** A part of a document, cut along its structure: `text` is `document.slice(start, end)`. */
export interface DocumentPassage {
  text: string;
  /** Index among the document's passages, from 0. */
  position: number;
  /** Offsets in UTF-16 code units. */
  start: number;
  end: number;
  /** The heading under which the passage begins. */
  heading: string;
}

/** Increase with every change that alters the passages: stored vectors are matched with passages by position. */
export const CUTTING_VERSION = 1;

interface CutOptions {
  /** Whether a passage may begin with the last sentence of the one before it (at most ~50 tokens). Default true. */
  overlap?: boolean;
}

/**
 * Weights are quarters of an estimated token (see `scanUnits`). A passage has at most ~300 tokens. If it is large enough, it ends before
 * a heading or a paragraph instead of in the middle of one.
 */
const MAX_WEIGHT = 1_200;
const ENOUGH_BEFORE = { heading: 320, paragraph: 720, sentence: Infinity } as const;
const MAX_OVERLAP = 200;

/** The passage that is being filled. */
interface OpenPassage {
  start: number;
  end: number;
  weight: number;
  last: Unit;
  heading: string;
}

/**
 * Cuts a text into passages of ~200 to 300 tokens that end at headings, paragraphs or sentences, in order. Without overlap, the joined
 * passages are the document. Takes time linear in the length of any text.
 */
export function cutIntoPassages(text: string, { overlap = true }: CutOptions = {}): DocumentPassage[] {
  const passages: DocumentPassage[] = [];
  let open: OpenPassage | undefined;
  let heading = '';
  for (const unit of scanUnits(text)) {
    if (unit.kind === 'heading') heading = headingText(text, unit);
    if (open && !isFull(open, unit)) {
      extend(open, unit);
    } else {
      if (open) passages.push(closed(text, open, passages.length));
      open = opened(unit, overlap ? open?.last : undefined, heading);
    }
  }
  if (open) passages.push(closed(text, open, passages.length));
  return passages;
}

function isFull(open: OpenPassage, next: Unit): boolean {
  return open.weight >= ENOUGH_BEFORE[next.kind] || open.weight + next.weight > MAX_WEIGHT;
}

function opened(unit: Unit, previous: Unit | undefined, heading: string): OpenPassage {
  const carries = previous && unit.kind !== 'heading' && previous.weight <= MAX_OVERLAP;
  const { start } = carries ? previous : unit;
  return { start, end: unit.end, weight: unit.weight + (carries ? previous.weight : 0), last: unit, heading };
}

function extend(open: OpenPassage, unit: Unit): void {
  open.end = unit.end;
  open.weight += unit.weight;
  open.last = unit;
}

function closed(text: string, { start, end, heading }: OpenPassage, position: number): DocumentPassage {
  return { text: text.slice(start, end), position, start, end, heading };
}

function headingText(text: string, { start, end }: Unit): string {
  return text
    .slice(start, Math.min(end, start + 200))
    .replace(/^#+/, '')
    .trim();
}
