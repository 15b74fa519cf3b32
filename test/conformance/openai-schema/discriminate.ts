import { type Definitions, type JsonSchema } from './json-schema.ts';

const TAG = 'type';
const REF = '#/definitions/';

/**
 * The same schemas, in which unions of objects with distinct `type` values are checked by `type`. An invalid event is then reported once,
 * for its own type, and not for each of the fifty other types.
 */
export function discriminated(definitions: Definitions): Record<string, JsonSchema> {
  return mapValues(definitions, (schema) => rewrite(schema, definitions));
}

function rewrite(schema: JsonSchema, definitions: Definitions): JsonSchema {
  const { anyOf, items, properties, ...rest } = schema;
  return {
    ...rest,
    ...(items && { items: rewrite(items, definitions) }),
    ...(properties && { properties: mapValues(properties, (inner) => rewrite(inner, definitions)) }),
    ...(anyOf && rewriteUnion(anyOf, definitions)),
  };
}

function rewriteUnion(branches: readonly JsonSchema[], definitions: Definitions): JsonSchema {
  const inner = branches.map((branch) => rewrite(branch, definitions));
  const tags = branches.flatMap((branch) => tagsOf(branch, definitions) ?? [undefined]);
  const distinct = new Set(tags).size === tags.length && !tags.includes(undefined);
  if (!distinct) return { anyOf: inner };
  return { type: 'object', required: [TAG], discriminator: { propertyName: TAG }, oneOf: inner };
}

/** The possible `type` values of a branch. Undefined if the branch has no required constant `type`. */
function tagsOf(branch: JsonSchema, definitions: Definitions): unknown[] | undefined {
  const { properties, required } = resolve(branch, definitions);
  const tag = required?.includes(TAG) ? properties?.[TAG] : undefined;
  return tag?.const === undefined ? tag?.enum : [tag.const];
}

function resolve(schema: JsonSchema, definitions: Definitions): JsonSchema {
  if (!schema.$ref?.startsWith(REF)) return schema;
  const target = definitions[decodeURIComponent(schema.$ref.slice(REF.length))];
  if (!target) throw new Error(`The schema has no definition ${schema.$ref}`);
  return resolve(target, definitions);
}

function mapValues<T, R>(values: Readonly<Record<string, T>>, map: (value: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value)]));
}
