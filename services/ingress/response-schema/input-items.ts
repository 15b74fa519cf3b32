import { z } from 'zod';

/**
 * The items of OpenAI's `input`. The schemas are loose because clients send items back as they received them, with members that
 * do not concern a model (ids, annotations, statuses). Members that matter but cannot be passed on are rejected.
 */
const inputText = z.looseObject({ type: z.literal('input_text'), text: z.string() });
const outputText = z.looseObject({ type: z.literal('output_text'), text: z.string() });
const refusal = z.looseObject({ type: z.literal('refusal'), refusal: z.string() });
const inputImage = z.looseObject({
  type: z.literal('input_image'),
  image_url: z.string({ error: 'must be a URL or a data URL (images by file id are not supported)' }),
  detail: z.string().max(20).optional(),
});
const inputFile = z
  .looseObject({
    type: z.literal('input_file'),
    file_id: z.string().min(1).max(100).nullish(),
    file_data: z.string().nullish(),
    filename: z.string().max(255).nullish(),
    file_url: z.never({ error: 'file URLs are not supported; send file_data or file_id instead' }).optional(),
  })
  .refine(({ file_id, file_data }) => (file_id ?? '') !== '' || typeof file_data === 'string', {
    error: 'must contain file_id or file_data',
  })
  .refine(({ file_id, file_data }) => typeof file_id !== 'string' || typeof file_data !== 'string', {
    error: 'must contain either file_id or file_data, not both',
  });
const inputAudio = z.looseObject({ type: z.literal('input_audio'), input_audio: z.looseObject({}) });

const userContent = z.union([
  z.string(),
  z.array(z.discriminatedUnion('type', [inputText, inputImage, inputFile, inputAudio])).min(1),
]);
const instructionContent = z.union([z.string(), z.array(inputText).min(1)]);
const assistantContent = z.union([
  z.string(),
  z.array(z.discriminatedUnion('type', [outputText, inputText, refusal])),
]);

const messageType = z.literal('message');
const message = z.discriminatedUnion(
  'role',
  [
    z.looseObject({ type: messageType, role: z.literal('user'), content: userContent }),
    z.looseObject({ type: messageType, role: z.literal('system'), content: instructionContent }),
    z.looseObject({ type: messageType, role: z.literal('developer'), content: instructionContent }),
    z.looseObject({ type: messageType, role: z.literal('assistant'), content: assistantContent }),
  ],
  { error: 'must be user, system, developer or assistant' },
);

const functionCall = z.looseObject({
  type: z.literal('function_call'),
  call_id: z.string().min(1),
  name: z.string().min(1),
  arguments: z.string(),
});
const functionCallOutput = z.looseObject({
  type: z.literal('function_call_output'),
  call_id: z.string().min(1),
  output: z.union([z.string(), z.array(inputText).min(1)]),
});
const reasoning = z.looseObject({ type: z.literal('reasoning'), summary: z.array(z.unknown()).default([]) });
/** Refers to an item of an earlier response or of its input. */
const itemReference = z.looseObject({ type: z.literal('item_reference'), id: z.string().min(1).max(100) });

export const inputItem = z.preprocess(
  withType,
  z.discriminatedUnion('type', [message, functionCall, functionCallOutput, reasoning, itemReference], {
    error: 'must be message, function_call, function_call_output, reasoning or item_reference',
  }),
);

/** The `type` of a message or a reference is optional, as in OpenAI's schema. */
function withType(item: unknown): unknown {
  if (typeof item !== 'object' || item === null || 'type' in item) return item;
  return { ...item, type: 'role' in item || !('id' in item) ? 'message' : 'item_reference' };
}

export type Message = z.infer<typeof message>;
export type InputItem = z.infer<typeof inputItem>;
/** An item after references are replaced by the items that they refer to. */
export type ResolvedItem = Exclude<InputItem, { type: 'item_reference' }>;

/** An item as it is stored and listed: with an id, and with its content as parts. */
export type StoredItem = ResolvedItem & { id: string };

export const storedItem = inputItem.refine(
  (item): item is StoredItem => item.type !== 'item_reference' && typeof item['id'] === 'string',
);

const ID_PREFIX = {
  message: 'msg',
  function_call: 'fc',
  function_call_output: 'fco',
  reasoning: 'rs',
} as const;

/** The string form of `input` is one user message. */
export function toItems(input: string | readonly InputItem[]): readonly InputItem[] {
  return typeof input === 'string' ? [{ type: 'message', role: 'user', content: input }] : input;
}

/**
 * Gives the item an id. `digits` come from the response id, so ids of different responses never collide. Client-supplied ids are
 * not kept.
 */
export function toStoredItem(item: ResolvedItem, digits: string, at: number): StoredItem {
  const id = `${ID_PREFIX[item.type]}_${digits}_i${at}`;
  switch (item.type) {
    case 'message':
      return { ...item, id, status: 'completed', content: contentParts(item) } as StoredItem;
    case 'function_call':
    case 'function_call_output':
      return { ...item, id, status: 'completed' };
    case 'reasoning':
      return { ...item, id };
  }
}

function contentParts({ role, content }: Message): object[] {
  if (typeof content !== 'string') return content.map((part) => withDefaults(part));
  return role === 'assistant'
    ? [{ type: 'output_text', text: content, annotations: [] }]
    : [{ type: 'input_text', text: content }];
}

function withDefaults(part: Exclude<Message['content'], string>[number]): object {
  if (part.type === 'input_image') return { ...part, detail: part.detail ?? 'auto' };
  if (part.type === 'output_text') return { ...part, annotations: part['annotations'] ?? [] };
  return part;
}
