import { Ajv, type ValidateFunction } from 'ajv';
import { join } from 'node:path';
import { createGenerator, type Schema } from 'ts-json-schema-generator';

/** Types of OpenAI's official SDK that our bodies and stream events must have; `types.ts` names them for the generator. */
export type OpenAiType =
  | 'ChatCompletion'
  | 'ChatCompletionChunk'
  | 'FileDeleted'
  | 'FileObject'
  | 'Response'
  | 'ResponseItemList'
  | 'ResponseStreamEvent';

/** Where the wire differs from the SDK's types on purpose. */
const ABSENT_ON_THE_WIRE: Readonly<Record<string, readonly string[]>> = {
  // The SDK adds it up from the output, in the client.
  Response: ['output_text'],
};

const ajv = new Ajv({ strict: false, allErrors: true });
const validators = new Map<string, ValidateFunction>();
let generator: ReturnType<typeof createGenerator> | undefined;

/** Throws an error that says which members are not as OpenAI's SDK has them. */
export function expectValid(type: OpenAiType, value: unknown): void {
  const validate = validatorOf(type);
  if (validate(value)) return;
  const narrow = narrowed(type, value) ?? validate;
  narrow(value);
  const problems = (narrow.errors ?? []).map(
    ({ instancePath, message }) => `${instancePath || '/'} ${message}`,
  );
  throw new Error(
    `not a valid ${type}:\n  ${[...new Set(problems)].slice(0, 10).join('\n  ')}\n${JSON.stringify(value)}`,
  );
}

function validatorOf(type: OpenAiType): ValidateFunction {
  const known = validators.get(type);
  if (known) return known;
  const validate = ajv.compile(schemaOf(type) as object);
  validators.set(type, validate);
  return validate;
}

/** A union's own errors list every branch; the one with the value's `type` says what is wrong. */
function narrowed(type: OpenAiType, value: unknown): ValidateFunction | undefined {
  const { type: tag } = (value ?? {}) as { type?: unknown };
  const { definitions = {} } = schemaOf(type);
  const [name] = Object.entries(definitions).find(([, schema]) => isTagged(schema, tag)) ?? [];
  if (type !== 'ResponseStreamEvent' || name === undefined) return undefined;
  return ajv.compile({ $ref: `#/definitions/${name}`, definitions });
}

function isTagged(schema: unknown, tag: unknown): boolean {
  const { properties } = schema as { properties?: { type?: { const?: unknown }; sequence_number?: unknown } };
  return tag !== undefined && properties?.type?.const === tag && properties.sequence_number !== undefined;
}

function schemaOf(type: OpenAiType): Schema {
  generator ??= createGenerator({
    path: join(import.meta.dirname, 'types.ts'),
    tsconfig: join(import.meta.dirname, '../../../tsconfig.json'),
    skipTypeCheck: true,
    // Providers' details pass through beside what the SDK knows.
    additionalProperties: true,
  });
  const schema = generator.createSchema(type);
  for (const [name, members] of Object.entries(ABSENT_ON_THE_WIRE)) {
    const definition = schema.definitions?.[name] as { required?: string[] } | undefined;
    if (definition?.required)
      definition.required = definition.required.filter((member) => !members.includes(member));
  }
  return schema;
}
