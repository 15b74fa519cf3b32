import { parseDocument } from 'yaml';
import { type z } from 'zod';

/** Parses and checks a YAML text. Returns the value, or the problems, each with its field. */
export function readYaml<T>(
  schema: z.ZodType<T>,
  yaml: string,
  maxCharacters: number,
): { value: T } | { problems: string[] } {
  if (yaml.length > maxCharacters) return { problems: [`has more than ${maxCharacters} characters`] };
  const value = parseYaml(yaml);
  if (value instanceof Error) return { problems: [value.message] };
  const parsed = schema.safeParse(value);
  return parsed.success ? { value: parsed.data } : { problems: parsed.error.issues.map(inWords) };
}

function parseYaml(yaml: string): unknown {
  try {
    const document = parseDocument(yaml);
    const [first] = document.errors;
    // Only the first line: the rest of the message is an excerpt of the file.
    return first ? new Error(first.message.split('\n', 1).join('').replace(/:$/, '')) : document.toJS();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error)); // aliases that would expand to a huge value
  }
}

function inWords({ path, message }: z.core.$ZodIssue): string {
  const field = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return field === '' ? message : `${field.replace(/^\./, '')}: ${message}`;
}
