import { terminalSafe } from './terminal-safe.ts';

/** JSON on one line, safe to show on a terminal: control characters are escaped, the value stays the same. */
export function toJsonLine(value: unknown): string {
  return terminalSafe(JSON.stringify(value));
}

/** Formats rows of cells as a table. Each column is as wide as its widest cell. */
export function inColumns(rows: readonly (readonly string[])[]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
