import { parseEnv } from 'node:util';

/** A line of a `.env` file that has no effect. */
export interface EnvProblem {
  /** From 1. */
  line: number;
  message: string;
}

const SETTING = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(.*)$/;
const QUOTES = ["'", '"', '`'];

/** The settings of a `.env` file, and its lines that have no effect: unknown names, and lines that are not NAME=value. */
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
      problems.push({ line, message: 'is not NAME=value and was ignored' });
      continue;
    }
    const end = endOfValue(lines, index, value);
    if (end === undefined) problems.push({ line, message: `${name}: the quote is not closed` });
    else index = end;
    if (!known.has(name))
      problems.push({ line, message: `${name} is not a setting and was ignored; .env.example has them all` });
    const before = seen.get(name);
    if (before !== undefined)
      problems.push({ line, message: `${name} replaces the value of line ${before}` });
    seen.set(name, line);
  }
  return problems;
}

/** The index of the last line of a value, which may go over several lines in quotes; undefined where the quote has no end. */
function endOfValue(lines: readonly string[], index: number, value: string): number | undefined {
  const quote = QUOTES.find((one) => value.startsWith(one));
  if (quote === undefined || value.indexOf(quote, 1) > 0) return index;
  const rest = lines.slice(index + 1).findIndex((text) => text.includes(quote));
  return rest < 0 ? undefined : index + 1 + rest;
}
