import { type ChatMessage, type ChatRequest } from '../../contracts/chat-request.ts';
import { countAllTokens, maxTokens } from '../documents/tokens.ts';
import { type Random } from '../../platform/util/random.ts';
import { imageTokens } from './image-tokens.ts';

/**
 * The one count of what a request sends to its provider. Window checks, limits by the minute, budgets, fair shares and
 * estimated bills all use it, so that nothing which one of them counts is free for another.
 *
 * A field that is not known to be a setting counts as text: what a later API adds, or what somebody makes up, is counted
 * before anybody has thought of it.
 */
export interface Measure {
  /** At least as many tokens as `exact`; takes microseconds. */
  readonly atMost: number;
  /** Tokens as o200k counts them, see `countAllTokens`; takes up to some 300 ms the first time, however long the request. */
  exact(): number;
  /** Those of it that are a predicted output: what the answer does not use of it is charged like an answer. */
  predicted(): number;
}

/** The same where no thread may stand still: counted as `count` does, and once. */
export interface MeasureInTurns {
  readonly atMost: number;
  exact(): Promise<number>;
  predicted(): Promise<number>;
}

export type MeasuredRequest = Partial<ChatRequest> & Pick<ChatRequest, 'messages'>;

/** Role, separators and names around a message: OpenAI's own formats need 3 or 4. */
const PER_MESSAGE = 4;
/** Around a call of a tool. */
const PER_TOOL_CALL = 4;

/** Settings: no model reads them. Of these, texts that are longer than a setting is count all the same. */
const SETTINGS: ReadonlySet<string> = new Set([
  'model',
  'stream',
  'stream_options',
  'n',
  'temperature',
  'top_p',
  'presence_penalty',
  'frequency_penalty',
  'max_tokens',
  'max_completion_tokens',
  'logprobs',
  'top_logprobs',
  'logit_bias',
  'stop',
  'seed',
  'user',
  'parallel_tool_calls',
  'reasoning_effort',
  'verbosity',
  'service_tier',
  'modalities',
  'audio',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'tool_choice',
  'function_call',
]);
/** Ours: they do not go to the provider. */
const NOT_SENT: ReadonlySet<string> = new Set(['metadata', 'store']);
/** JSON characters of a setting. `logit_bias` and a few stop sequences are longer than a word. */
const LONGEST_SETTING = 1_024;

interface Parts {
  texts: string[];
  /** Of what is no text: frames around messages, images, recordings. */
  tokens: number;
}

export function measureRequest(request: MeasuredRequest, random?: Random): Measure {
  const { texts, tokens } = partsOf(request);
  const predictions = textsOfValue(request['prediction']);
  let exact: number | undefined;
  let predicted: number | undefined;
  return {
    atMost: atMostOf({ texts, tokens }),
    exact: () => (exact ??= tokens + countAllTokens(texts, random)),
    predicted: () => (predicted ??= countAllTokens(predictions, random)),
  };
}

export function measureInTurns(
  request: MeasuredRequest,
  count: (texts: readonly string[]) => Promise<number>,
): MeasureInTurns {
  const { texts, tokens } = partsOf(request);
  let exact: Promise<number> | undefined;
  let predicted: Promise<number> | undefined;
  return {
    atMost: atMostOf({ texts, tokens }),
    exact: () => (exact ??= count(texts).then((counted) => tokens + counted)),
    predicted: () => (predicted ??= count(textsOfValue(request['prediction']))),
  };
}

function atMostOf({ texts, tokens }: Parts): number {
  return texts.reduce((sum, text) => sum + maxTokens(text), tokens);
}

function partsOf({ messages, ...fields }: MeasuredRequest): Parts {
  const parts: Parts = { texts: [], tokens: 0 };
  for (const message of messages) addMessage(parts, message, fields.model);
  for (const [name, value] of Object.entries(fields)) if (!NOT_SENT.has(name)) addField(parts, name, value);
  return parts;
}

function addField({ texts }: Parts, name: string, value: unknown): void {
  const found = textsOfValue(value);
  const setting = SETTINGS.has(name) && found.every((text) => text.length <= LONGEST_SETTING);
  if (!setting) texts.push(...found);
}

/** The names of fields inside are read as well: a schema is more names than values. Numbers and switches are settings. */
function textsOfValue(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? [JSON.stringify(value)] : [];
}

function addMessage(parts: Parts, message: ChatMessage, model: string | undefined): void {
  parts.tokens += PER_MESSAGE;
  const { role, content, ...fields } = message;
  addContent(parts, content, model);
  if (role === 'assistant') addToolCalls(parts, message.tool_calls);
  for (const [name, value] of Object.entries(fields)) {
    if (name !== 'tool_calls' || role !== 'assistant') addNamed(parts, name, value);
  }
}

function addToolCalls(parts: Parts, calls: Extract<ChatMessage, { role: 'assistant' }>['tool_calls']): void {
  for (const { function: called, ...fields } of calls ?? []) {
    const { name, arguments: given, ...others } = called;
    parts.tokens += PER_TOOL_CALL;
    parts.texts.push(name, given);
    for (const [field, value] of Object.entries({ ...fields, ...others })) addNamed(parts, field, value);
  }
}

function addContent(parts: Parts, content: ChatMessage['content'], model: string | undefined): void {
  if (typeof content === 'string') parts.texts.push(content);
  else for (const part of content ?? []) addPart(parts, part, model);
}

type Part = Exclude<ChatMessage['content'], string | null | undefined>[number];

function addPart(parts: Parts, part: Part, model: string | undefined): void {
  const counted = countedField(parts, part, model);
  for (const [name, value] of Object.entries(part)) if (name !== counted) addNamed(parts, name, value);
}

/** Counts what is no plain text in a part, and says which field that was. */
function countedField(parts: Parts, part: Part, model: string | undefined): string | undefined {
  switch (part.type) {
    case 'image_url': {
      const { url, detail, ...fields } = part.image_url;
      parts.tokens += imageTokens({ url, detail, model });
      for (const [name, value] of Object.entries(fields)) addNamed(parts, name, value);
      return 'image_url';
    }
    case 'input_audio':
      parts.tokens += audioTokens(part.input_audio);
      return 'input_audio';
    case 'file':
      // It is taken out of the message and comes back as passages, which are measured as such.
      return 'file';
    case 'text':
    case 'refusal':
      return undefined;
  }
}

/** Ids and the like that no model reads. */
const IDS: ReadonlySet<string> = new Set(['id', 'type', 'tool_call_id', 'cache_control', 'index']);
const LONGEST_ID = 128;

function addNamed({ texts }: Parts, name: string, value: unknown): void {
  const found = textsOfValue(value);
  if (!IDS.has(name) || found.some((text) => text.length > LONGEST_ID)) texts.push(...found);
}

/** OpenAI's models hear 10 tokens a second. */
const TOKENS_PER_SECOND = 10;
/** Base64 characters: PCM with 16 bits at 16 kHz, and anything else like an MP3 with 32 kbit/s. */
const CHARACTERS_PER_SECOND = { wav: 42_000, other: 5_300 };

/** From above: of a recording only its size is known. */
function audioTokens({ data, format, ...fields }: Readonly<Record<string, unknown>>): number {
  const characters = typeof data === 'string' ? data.length : JSON.stringify(fields).length;
  const perSecond = format === 'wav' ? CHARACTERS_PER_SECOND.wav : CHARACTERS_PER_SECOND.other;
  return Math.ceil(characters / perSecond) * TOKENS_PER_SECOND;
}
