import { parseEnv } from 'node:util';

/** A problem with one line of a `.env` file. */
export interface EnvProblem {
  /** Starts at 1. */
  line: number;
  message: string;
}

const SETTING = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(.*)$/;
const QUOTES = ["'", '"', '`'];

/** Reads the settings of a `.env` file, and its problems: unknown names, lines that are not NAME=value, repeated names, open quotes. */
export function readEnvFile(
  text: string,
  known: ReadonlySet<string>,
): { settings: NodeJS.Dict<string>; problems: EnvProblem[] } {
  return { settings: parseEnv(text), problems: problemsIn(text.split(/\r?\n/), known) };
}

function problemsIn(lines: readonly string[], known: ReadonlySet<string>): EnvProblem[] {
  const problems: EnvProblem[] = [];
  const seen = new Map<string, number>();
  for (let index = 0; index < lines.length; index += 1) {
    const text = lines[index] ?? '';
    if (text.trim() === '' || text.trimStart().startsWith('#')) continue;
    const line = index + 1;
    const [, name, value = ''] = SETTING.exec(text) ?? [];
    if (name === undefined) {
      problems.push({ line, message: 'is not NAME=value and is ignored' });
      continue;
    }
    const end = endOfValue(lines, index, value);
    if (end === undefined) problems.push({ line, message: `${name}: the quote is not closed` });
    else index = end;
    if (!known.has(name))
      problems.push({
        line,
        message: `${name} is not a setting and is ignored; .env.example lists all settings`,
      });
    const before = seen.get(name);
    if (before !== undefined)
      problems.push({ line, message: `${name} replaces the value of line ${before}` });
    seen.set(name, line);
  }
  return problems;
}

/** The index of a value's last line. A quoted value may span several lines. Undefined if the closing quote is missing. */
function endOfValue(lines: readonly string[], index: number, value: string): number | undefined {
  const quote = QUOTES.find((one) => value.startsWith(one));
  if (quote === undefined || value.indexOf(quote, 1) > 0) return index;
  const rest = lines.slice(index + 1).findIndex((text) => text.includes(quote));
  return rest < 0 ? undefined : index + 1 + rest;
}
