import { type Definitions, type JsonSchema } from './json-schema.ts';

interface Difference {
  type: string;
  why: string;
  /** Not on the wire, though the SDK's type has it. */
  absent?: string;
  /** On the wire, though the SDK's type does not have it. */
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

/** Where bodies and events differ from the SDK's types on purpose. Everything else is a fault. */
const DIFFERENCES: readonly Difference[] = [
  { type: 'Response', absent: 'output_text', why: 'the SDK puts it together on the client' },
  {
    type: 'Response',
    added: { store: { type: 'boolean' } },
    why: "OpenAI's responses carry it; the type leaves it out",
  },
  {
    type: 'Model',
    added: {
      max_input_tokens: { type: 'number' },
      max_output_tokens: { type: 'number' },
      mode: { type: 'string' },
    },
    why: "LiteLLM's own, passed on: a client may want to know the window",
  },
  {
    type: 'ChatCompletion',
    added: { metadata: { type: 'object' } },
    why: "OpenAI's stored completions carry it; the type leaves it out",
  },
  {
    type: 'ChatCompletionMessage',
    added: { reasoning_content: { type: 'string' }, annotations: ANNOTATIONS },
    why: 'citations of files, which OpenAI has in Responses only; and thinking, as DeepSeek and LiteLLM name it: OpenAI has no word for it in Chat Completions',
  },
  {
    type: 'ChatCompletionChunk.Choice.Delta',
    added: { reasoning_content: { type: 'string' }, annotations: ANNOTATIONS },
    why: 'the same, streamed',
  },
];

/** The definitions as they are on Turnout's wire. */
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
