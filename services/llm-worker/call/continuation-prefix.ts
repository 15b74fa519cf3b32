/** The tag around the continuation prefix in the prompt: the words that the model must begin with. */
export const PREFIX_TAG = 'last_words';

/** Where a model's repetition of the continuation prefix ends. */
interface PrefixMatch {
  /** The offset after the prefix and its closing marks; undefined while the text does not begin with the prefix. */
  end: number | undefined;
  /** True when more text could change the result. */
  open: boolean;
}

const OPENING_TAG = `<${PREFIX_TAG}>`;
const ELLIPSIS = '...';
/** Marks that models put before words that they repeat. */
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
 * Finds the continuation prefix at the start of a text that is still streaming. Quotation marks, an ellipsis and `PREFIX_TAG` before
 * it belong to the repetition, and so do the marks that close them right after it. Without the prefix, they belong to the answer.
 */
export function matchPrefix(text: string, prefix: string): PrefixMatch {
  const leadIn = LEAD_IN.exec(text)?.[0] ?? '';
  const offsets = Array.from({ length: leadIn.length + 1 }, (_, at) => at);
  const found = offsets.find((at) => text.startsWith(prefix, at));
  if (found !== undefined) return closed(text, found + prefix.length, text.slice(0, found));
  const rest = text.slice(leadIn.length);
  const open =
    [OPENING_TAG, ELLIPSIS].some((mark) => mark.startsWith(rest)) ||
    offsets.some((at) => prefix.startsWith(text.slice(at)));
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
