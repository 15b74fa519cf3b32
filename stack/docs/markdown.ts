/** The note at the top of every generated page. */
export const GENERATED = '<!-- Written by `make docs`. Change the code, then run it again. -->';

/** A Markdown table; cells are Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

/** Escapes a text for a table's cell. */
export function escaped(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
