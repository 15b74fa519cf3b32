import { Ajv, type ErrorObject } from 'ajv';
import { withDifferences } from './differences.ts';
import { discriminated } from './discriminate.ts';
import { type DefinitionsOf, openaiSchemas } from './generate.ts';

/** The SDK's types that a server answers with. */
export type OpenaiType =
  | 'Response'
  | 'ResponseStreamEvent'
  | 'ResponseItemList'
  | 'ChatCompletion'
  | 'ChatCompletionChunk'
  | 'FileObject'
  | 'FileDeleted'
  | 'Model'
  | 'ErrorObject';

/** Throws with what is wrong, and where, unless the value is one of the official SDK's `type`. */
export function expectValid(type: OpenaiType, value: unknown): void {
  const problems = problemsOf(type, value);
  if (problems.length === 0) return;
  throw new Error(`Not the SDK's ${type}:\n  ${problems.join('\n  ')}\n${JSON.stringify(value, null, 2)}`);
}

type Check = (value: unknown) => string[];

let schemas: DefinitionsOf | undefined;
const checks = new Map<OpenaiType, Check>();

/** What keeps a value from being one of the official SDK's `type`, each with its path; empty when nothing does. */
export function problemsOf(type: OpenaiType, value: unknown): string[] {
  schemas ??= openaiSchemas();
  const check = checks.get(type) ?? compile(type, schemas);
  checks.set(type, check);
  return check(value);
}

function compile(type: OpenaiType, definitionsOf: DefinitionsOf): Check {
  const definitions = discriminated(withDifferences(definitionsOf(type)));
  const ajv = new Ajv({ strict: false, allErrors: true, discriminator: true });
  const validate = ajv.compile({ $ref: `#/definitions/${type}`, definitions });
  return (value) => (validate(value) ? [] : readable(validate.errors ?? []));
}

/** One line for each, the innermost first: where a union is not told apart by a type, they say more than "none of these". */
function readable(errors: readonly ErrorObject[]): string[] {
  const deepest = errors.toSorted((a, b) => depth(b) - depth(a));
  return [...new Set(deepest.map((error) => lineOf(error)))];
}

function depth({ instancePath }: ErrorObject): number {
  return instancePath.split('/').length;
}

function lineOf({ instancePath, message, params }: ErrorObject): string {
  const { additionalProperty, allowedValue, tagValue } = params as Record<string, unknown>;
  const detail = additionalProperty ?? allowedValue ?? tagValue;
  return `${instancePath || '/'} ${message ?? 'is wrong'}${detail === undefined ? '' : `: ${JSON.stringify(detail)}`}`;
}
