/**
 * Makes untrusted text safe to show on a terminal. Control, format and bidirectional characters become JSON escapes
 * (`\uXXXX`), so that they cannot move the cursor or hide text. Line feeds and tabs stay. JSON keeps its value.
 */
export function terminalSafe(text: string): string {
  return text.replaceAll(/[^\P{C}\n\t]|[\p{Zl}\p{Zp}]/gu, escapeUnits);
}

/** The same, joined to one line. */
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
