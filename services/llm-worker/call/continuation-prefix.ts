/** The tag in which a model is told the words that it is to begin with. */
export const PREFIX_TAG = 'last_words';

/** Where a continuation's repetition of the anchor ends. */
interface PrefixMatch {
  /** Behind the anchor and what closes it; undefined where the text does not begin with the anchor (yet). */
  end: number | undefined;
  /** More text could change it. */
  open: boolean;
}

const OPENING_TAG = `<${PREFIX_TAG}>`;
const ELLIPSIS = '...';
/** What models put before words that they repeat. */
const LEAD_IN = new RegExp(`^(?:\\s|\\.{3}|…|["'“„‘«\`]|${OPENING_TAG})*`);
const OPENINGS = new RegExp(`["'“„‘«\`]|${OPENING_TAG}`, 'g');
const CLOSING: Readonly<Record<string, string>> = {
  [OPENING_TAG]: `</${PREFIX_TAG}>`,
  '“': '”',
  '„': '“',
  '‘': '’',
  '«': '»',
};

/**
 * Finds the anchor at the beginning of a text that is still coming. Quotation marks, an ellipsis and our own tag before it
 * belong to the repetition, and so does what closes them right behind it; without the anchor they are the answer's own.
 */
export function matchPrefix(text: string, prefix: string): PrefixMatch {
  const leadIn = LEAD_IN.exec(text)?.[0] ?? '';
  const places = Array.from({ length: leadIn.length + 1 }, (_, at) => at);
  const found = places.find((at) => text.startsWith(prefix, at));
  if (found !== undefined) return closed(text, found + prefix.length, text.slice(0, found));
  const rest = text.slice(leadIn.length);
  const open =
    [OPENING_TAG, ELLIPSIS].some((mark) => mark.startsWith(rest)) ||
    places.some((at) => prefix.startsWith(text.slice(at)));
  return { end: undefined, open };
}

function closed(text: string, from: number, leadIn: string): PrefixMatch {
  let end = from;
  for (const opening of (leadIn.match(OPENINGS) ?? []).reverse()) {
    const closing = CLOSING[opening] ?? opening;
    if (text.startsWith(closing, end)) end += closing.length;
    else return { end, open: closing.startsWith(text.slice(end)) };
  }
  return { end, open: false };
}
