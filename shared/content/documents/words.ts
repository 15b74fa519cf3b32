/** Scripts that write without spaces between words. */
const UNSPACED = '\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff';
const RUN = new RegExp(`[${UNSPACED}]+|[[\\p{L}\\p{N}\\p{M}]--[${UNSPACED}]]+`, 'gv');
const STARTS_UNSPACED = new RegExp(`^[${UNSPACED}]`, 'v');

/**
 * The words of a text, normalised for retrieval: lower case, English plurals as singulars, Chinese and Japanese as pairs of characters (the
 * usual substitute for a dictionary). Linear in the length of the text.
 */
export function words(text: string): string[] {
  const found: string[] = [];
  for (const run of text.toLowerCase().match(RUN) ?? []) {
    if (STARTS_UNSPACED.test(run)) found.push(...pairs(run));
    else found.push(singular(run));
  }
  return found;
}

function pairs(run: string): string[] {
  if (run.length < 2) return [run];
  return Array.from({ length: run.length - 1 }, (_, at) => run.slice(at, at + 2));
}

/** The "S stemmer" (Harman 1991, "How effective is suffixing?"): plurals only, so it does little harm in other languages. */
function singular(word: string): string {
  if (word.length < 4 || !word.endsWith('s')) return word;
  if (word.endsWith('ies') && !/[ae]ies$/.test(word)) return `${word.slice(0, -3)}y`;
  if (word.endsWith('es') && !/[aeo]es$/.test(word)) return word.slice(0, -1);
  return /[us]s$/.test(word) || word.endsWith('es') ? word : word.slice(0, -1);
}
