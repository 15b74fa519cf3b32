import { z } from 'zod';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';

type Issue = z.core.$ZodIssue;

/** Far deeper than any schema of a tool. `JSON.stringify` fails at some thousands, and providers' parsers at a few hundred. */
const MAX_DEPTH = 128;

/** Fastify's validator on zod: what is wrong becomes a typed error with the parameter's path. */
export function validatorCompiler({ schema }: { schema: unknown }) {
  const checked = schema as z.ZodType;
  return (data: unknown): { value: unknown } | { error: Error } => {
    if (isDeeperThan(MAX_DEPTH, data)) return { error: tooDeep() };
    const result = checked.safeParse(data);
    return result.success ? { value: result.data } : { error: invalidValue(result.error.issues) };
  };
}

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  const members: unknown[] = Array.isArray(value) ? value : Object.values(value);
  return members.some((member) => isDeeperThan(levels - 1, member));
}

function tooDeep(): TurnoutError {
  return new TurnoutError('invalid_value', {
    message: `The request body is nested more than ${MAX_DEPTH} levels deep.`,
  });
}

/** A parameter of OpenAI's that is not served here: whoever sets it gets a 400 `unsupported_parameter` that says why. */
export function unsupported(reason: string) {
  return z
    .custom<null | undefined>((value) => value === undefined || value === null, { params: { reason } })
    .optional();
}

export function invalidValue(issues: readonly Issue[]): TurnoutError {
  const [first] = issues.map((issue) => innermost(issue));
  if (!first) return new TurnoutError('invalid_value');
  const { path, message, unknown, reason } = first;
  if (unknown !== undefined) return unknownParameter(paramPath([...path, unknown]));
  const param = paramPath(path);
  if (reason !== undefined) return unsupportedParameter(param, reason);
  const where = param === '' ? 'The request body' : `'${param}'`;
  return new TurnoutError('invalid_value', {
    message: `${where} is not valid: ${message}.`,
    param: param || undefined,
  });
}

export function unknownParameter(param: string): TurnoutError {
  return new TurnoutError('unknown_parameter', { message: `Unknown parameter: '${param}'.`, param });
}

export function unsupportedParameter(param: string, reason: string): TurnoutError {
  return new TurnoutError('unsupported_parameter', {
    message: `'${param}' is not supported: ${reason}.`,
    param,
  });
}

/** `messages[0].content` */
function paramPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

interface Problem {
  path: PropertyKey[];
  message: string;
  /** The key that an object does not have. */
  unknown?: string | undefined;
  /** Why the parameter is not supported. */
  reason?: string | undefined;
}

/** A union's own message says nothing; the branch that got furthest says what was meant. */
function innermost(issue: Issue): Problem {
  if (issue.code === 'unrecognized_keys') return { ...issue, unknown: issue.keys[0] };
  if (issue.code === 'custom') return { ...issue, reason: reasonOf(issue.params) };
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return issue;
  const branches = issue.errors.flatMap((branch) => branch.slice(0, 1).map((nested) => innermost(nested)));
  const [best] = branches.sort((a, b) => b.path.length - a.path.length);
  return best ? { ...best, path: [...issue.path, ...best.path] } : issue;
}

function reasonOf(params: Record<string, unknown> | undefined): string | undefined {
  return typeof params?.['reason'] === 'string' ? params['reason'] : undefined;
}
