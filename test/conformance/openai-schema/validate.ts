import { Ajv, type ErrorObject } from 'ajv';
import { join } from 'node:path';
import { createGenerator } from 'ts-json-schema-generator';
import { withDifferences } from './differences.ts';
import { discriminated } from './discriminate.ts';
import { type Definitions } from './json-schema.ts';

/** Types of OpenAI's official SDK that our bodies and stream events must have. `types.ts` exports them for the generator. */
export type OpenAiType =
  | 'ChatCompletion'
  | 'ChatCompletionChunk'
  | 'ErrorObject'
  | 'FileDeleted'
  | 'FileObject'
  | 'Model'
  | 'Response'
  | 'ResponseItemList'
  | 'ResponseStreamEvent';

type Check = (value: unknown) => string[];

const checks = new Map<OpenAiType, Check>();
let generator: ReturnType<typeof createGenerator> | undefined;

/** Throws an error that lists the differences from the SDK's type. Members that the type does not have are differences too. */
export function expectValid(type: OpenAiType, value: unknown): void {
  const problems = problemsOf(type, value);
  if (problems.length === 0) return;
  throw new Error(`not a valid ${type}:\n  ${problems.join('\n  ')}\n${JSON.stringify(value)}`);
}

/** The differences between a value and a type, each with its path. Empty if there are none. */
export function problemsOf(type: OpenAiType, value: unknown): string[] {
  const check = checks.get(type) ?? compile(type);
  checks.set(type, check);
  return check(value);
}

/** Reading the SDK's declarations at the first call takes seconds; each type takes some tenths of a second. */
function definitionsOf(type: OpenAiType): Definitions {
  generator ??= createGenerator({
    path: join(import.meta.dirname, 'types.ts'),
    tsconfig: join(import.meta.dirname, '../../../tsconfig.json'),
    skipTypeCheck: true,
    jsDoc: 'none',
  });
  return generator.createSchema(type).definitions as Definitions;
}

function compile(type: OpenAiType): Check {
  const definitions = discriminated(withDifferences(definitionsOf(type)));
  const ajv = new Ajv({ strict: false, allErrors: true, discriminator: true });
  const validate = ajv.compile({ $ref: `#/definitions/${type}`, definitions });
  return (value) => (validate(value) ? [] : readable(validate.errors ?? []));
}

/** One line per error, the innermost first: in unions without a discriminator they say more than "matches none of these". */
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
