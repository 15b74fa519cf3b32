/**
 * What a terminal may be shown of a text that anybody may have written: control, format and bidirectional characters are
 * shown as JSON's `\uXXXX`, so that they neither move the cursor nor hide anything. Line feeds and tabs stay; inside JSON
 * the text stays the same JSON.
 */
export function terminalSafe(text: string): string {
  return text.replaceAll(/[^\P{C}\n\t]|[\p{Zl}\p{Zp}]/gu, escapeUnits);
}

/** The same on one line. */
export function oneLine(text: string): string {
  return terminalSafe(
    text
      .replaceAll(/\s*\n\s*/g, ' ')
      .replaceAll('\t', ' ')
      .trim(),
  );
}

function escapeUnits(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('');
}
