import { type z } from 'zod';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';

type Issue = z.core.$ZodIssue;

/** Fastify's validator on zod: what is wrong becomes `invalid_value` with the parameter's path. */
export function validatorCompiler({ schema }: { schema: unknown }) {
  const checked = schema as z.ZodType;
  return (data: unknown): { value: unknown } | { error: Error } => {
    const result = checked.safeParse(data);
    return result.success ? { value: result.data } : { error: invalidValue(result.error.issues) };
  };
}

export function invalidValue(issues: readonly Issue[]): TurnoutError {
  const [first] = issues.map((issue) => innermost(issue));
  if (!first) return new TurnoutError('invalid_value');
  const param = paramPath(first.path);
  const where = param === '' ? 'The request body' : `'${param}'`;
  return new TurnoutError('invalid_value', {
    message: `${where} is not valid: ${first.message}.`,
    param: param || undefined,
  });
}

/** `messages[0].content` */
function paramPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

/** A union's own message says nothing; the branch that got furthest says what was meant. */
function innermost(issue: Issue): { path: PropertyKey[]; message: string } {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return issue;
  const branches = issue.errors.flatMap((branch) => branch.slice(0, 1).map((nested) => innermost(nested)));
  const [best] = branches.sort((a, b) => b.path.length - a.path.length);
  return best ? { path: [...issue.path, ...best.path], message: best.message } : issue;
}
