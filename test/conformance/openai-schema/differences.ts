import { type Definitions, type JsonSchema } from './json-schema.ts';

interface Difference {
  type: string;
  why: string;
  /** A member that the SDK's type has, but that is not on the wire. */
  absent?: string;
  /** Members on the wire that the SDK's type does not have. */
  added?: Readonly<Record<string, JsonSchema>>;
}

const citation = (kind: string, members: Record<string, JsonSchema>): JsonSchema => ({
  type: 'object',
  required: ['type', kind],
  properties: {
    type: { const: kind },
    [kind]: {
      type: 'object',
      required: Object.keys(members),
      properties: members,
    },
  },
});
const text: JsonSchema = { type: 'string' };
const number: JsonSchema = { type: 'number' };
const ANNOTATIONS: JsonSchema = {
  type: 'array',
  items: {
    anyOf: [
      citation('file_citation', { file_id: text, filename: text, index: number }),
      citation('url_citation', { url: text, title: text, start_index: number, end_index: number }),
    ],
  },
};

/** Where bodies and events differ from the SDK's types on purpose. Every other difference is an error. */
const DIFFERENCES: readonly Difference[] = [
  { type: 'Response', absent: 'output_text', why: 'the SDK computes it on the client' },
  {
    type: 'Response',
    added: { store: { type: 'boolean' } },
    why: "OpenAI's responses have it, but the type omits it",
  },
  {
    type: 'Model',
    added: {
      max_input_tokens: { type: 'number' },
      max_output_tokens: { type: 'number' },
      mode: { type: 'string' },
    },
    why: "LiteLLM's fields, passed on so that clients know the context window",
  },
  {
    type: 'ChatCompletion',
    added: { metadata: { type: 'object' } },
    why: "OpenAI's stored completions have it, but the type omits it",
  },
  {
    type: 'ChatCompletionMessage',
    added: { reasoning_content: { type: 'string' }, annotations: ANNOTATIONS },
    why: 'file citations, which OpenAI has only in Responses; reasoning under the name of DeepSeek and LiteLLM, for lack of an OpenAI field',
  },
  {
    type: 'ChatCompletionChunk.Choice.Delta',
    added: { reasoning_content: { type: 'string' }, annotations: ANNOTATIONS },
    why: 'the same, streamed',
  },
];

/** The definitions as they apply to Turnout's wire format. */
export function withDifferences(definitions: Definitions): Record<string, JsonSchema> {
  const changed = { ...definitions };
  for (const difference of DIFFERENCES) {
    const schema = changed[difference.type];
    if (schema) changed[difference.type] = apply(schema, difference);
  }
  return changed;
}

function apply(schema: JsonSchema, { absent, added }: Difference): JsonSchema {
  const required = schema.required?.filter((name) => name !== absent) ?? [];
  return { ...schema, required, properties: { ...schema.properties, ...added } };
}
