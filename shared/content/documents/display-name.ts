/** White space, control and format characters (line breaks, bidirectional overrides), and characters that could end an attribute or a tag. */
const UNSAFE = /[\p{C}\p{Z}<>"&]+/gu;
const MAX_CHARACTERS = 120;

/**
 * A document's name in a form that is safe in a prompt: one line that cannot end the tag or the quotes around it. Names come from clients
 * and are only labels; no file is ever named after them.
 */
export function displayName(name: string | undefined, index: number): string {
  const safe = Array.from((name ?? '').replaceAll(UNSAFE, ' ').trim())
    .slice(0, MAX_CHARACTERS)
    .join('');
  return safe || `document-${index + 1}`;
}
