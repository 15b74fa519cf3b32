/** Finds the sentences of a conversation that match a question: by word overlap, with more weight for rare words. */

const STOP_WORDS = new Set(
  `a about all am an and any are as at be been but by can could did do does for from had has have he her his how i if
  in into is it its just me my no not of on or our please she should so some tell than that the their them then there
  these they this those to us was we were what when where which who whom whose why will with would you your answer question
  according context document documents file files passage passages say says use using quote`.split(/\s+/),
);

/** A crude stem, good enough to match "departs" with "departure". */
function stem(word: string): string {
  const singular = word.length > 3 && word.endsWith('s') ? word.slice(0, -1) : word;
  return singular.slice(0, 6);
}

function terms(text: string): Set<string> {
  const found = new Set<string>();
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    if (!STOP_WORDS.has(word)) found.add(stem(word));
  }
  return found;
}

function sentences(text: string): string[] {
  return text
    .split(/(?<=[.!?])\s+|\n+/u)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence !== '');
}

const LABELLED_QUESTION = /(?:^|\n)\s*(?:the |user'?s? )?question\s*:\s*([^\n]+)/gi;
const LONGEST_QUESTION = 400;

/** The question in a user's message that may carry documents: a labelled one, else the last sentence with a "?", else the last paragraph. */
export function questionIn(text: string): string {
  const labelled = [...text.matchAll(LABELLED_QUESTION)].at(-1)?.[1];
  if (labelled !== undefined) return labelled.trim();
  const asked = text.includes('?')
    ? sentences(text).findLast((sentence) => sentence.endsWith('?'))
    : undefined;
  const paragraph =
    asked ??
    text
      .trim()
      .split(/\n\s*\n/)
      .at(-1) ??
    '';
  return paragraph.trim().slice(0, LONGEST_QUESTION).toWellFormed();
}

export interface Source {
  text: string;
  /** Weight of a match in this source. The model's own earlier words weigh less than what it was given. */
  weight: number;
}

interface Candidate {
  sentence: string;
  weight: number;
  length: number;
  matched: readonly string[];
}

function candidates(sources: readonly Source[], wanted: ReadonlySet<string>, question: string): Candidate[] {
  return sources.flatMap(({ text, weight }) =>
    sentences(text)
      .filter((sentence) => !sentence.includes(question))
      .map((sentence) => {
        const own = terms(sentence);
        return { sentence, weight, length: own.size, matched: [...wanted].filter((term) => own.has(term)) };
      }),
  );
}

/** A single common word is not a match: two words must match, or half of the question's words. */
const isMatch = (candidate: Candidate, wanted: number): boolean =>
  candidate.matched.length >= 2 || candidate.matched.length * 2 >= Math.max(wanted, 1);

/** At most `limit` sentences that match the question best, best first. Sentences that score much lower than the best are omitted. */
export function bestSentences(question: string, sources: readonly Source[], limit = 2): string[] {
  const wanted = terms(question);
  if (wanted.size === 0) return [];
  const all = candidates(sources, wanted, question);
  const frequency = new Map<string, number>();
  for (const { matched } of all)
    for (const term of matched) frequency.set(term, (frequency.get(term) ?? 0) + 1);
  const rarity = (term: string): number => Math.log(1 + all.length / (frequency.get(term) ?? 1));
  const scored = all
    .filter((candidate) => isMatch(candidate, wanted.size))
    .map(({ sentence, weight, length, matched }) => ({
      sentence,
      score: (weight * matched.reduce((sum, term) => sum + rarity(term), 0)) / (1 + length / 100),
    }))
    .sort((a, b) => b.score - a.score);
  const floor = (scored[0]?.score ?? 0) * 0.7;
  return [...new Set(scored.filter(({ score }) => score >= floor).map(({ sentence }) => sentence))].slice(
    0,
    limit,
  );
}
