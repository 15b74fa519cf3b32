import { z } from 'zod';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { checkMembers, paramPath } from './json-bounds.ts';

type Issue = z.core.$ZodIssue;

/** Bodies that were validated while they were parsed, each with its schema. */
export const checkedBodies = new WeakMap<object, unknown>();

/** Fastify validator compiler for zod schemas. A validation failure becomes a typed error with the path of the parameter. */
export function validatorCompiler({ schema }: { schema: unknown }) {
  const wanted = schema as z.ZodType;
  return (data: unknown): { value: unknown } | { error: Error } => {
    if (typeof data === 'object' && data !== null && checkedBodies.get(data) === schema)
      return { value: data };
    try {
      return { value: validate(wanted, data) };
    } catch (error) {
      if (error instanceof TurnoutError) return { error };
      throw error;
    }
  };
}

/**
 * Parses `data` by the schema, after checking that its size is within the limits. Throws `invalid_value`, `unknown_parameter` or
 * `unsupported_parameter` that names the first problem.
 */
export function validate(schema: z.ZodType, data: unknown): unknown {
  checkMembers(data);
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  throw invalidValue(result.error.issues);
}

/** An OpenAI parameter that is not supported. Setting it is a 400 `unsupported_parameter` with the reason. */
export function unsupported(reason: string) {
  return z
    .custom<null | undefined>((value) => value === undefined || value === null, { params: { reason } })
    .optional();
}

export function invalidValue(issues: readonly Issue[]): TurnoutError {
  const [issue] = issues;
  const first = issue && innermost(issue);
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

interface Problem {
  path: PropertyKey[];
  message: string;
  /** A key that the schema does not know. */
  unknown?: string | undefined;
  /** Why the parameter is not supported. */
  reason?: string | undefined;
}

/** The message of a union itself is useless. The branch that got furthest most likely matches the caller's intent. */
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
