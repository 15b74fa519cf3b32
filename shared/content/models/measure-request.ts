import { type ChatMessage, type ChatRequest } from '../../contracts/chat-request.ts';
import { countAllTokens, maxTokens } from '../documents/tokens.ts';
import { type Random } from '../../platform/util/random.ts';
import { imageTokens } from './image-tokens.ts';

/**
 * The only token count of a request. Context window checks, rate limits, budgets, fair shares and estimated bills all use it, so they agree
 * on what counts.
 *
 * A field that is not known to be a setting counts as text, so unknown fields, such as those of later APIs, cannot bypass the count.
 */
export interface Measure {
  /** An upper bound of `exact`; takes microseconds. */
  readonly atMost: number;
  /** Tokens by o200k, see `countAllTokens`. The first call takes up to about 300 ms, however long the request is. */
  exact(): number;
  /** Tokens of the predicted output among them. The provider bills the unused part of a prediction as output. */
  predicted(): number;
}

/** The same without blocking the thread: `count` counts asynchronously, once for each value. */
export interface MeasureInTurns {
  readonly atMost: number;
  exact(): Promise<number>;
  predicted(): Promise<number>;
}

export type MeasuredRequest = Partial<ChatRequest> & Pick<ChatRequest, 'messages'>;

/** Tokens for role, separators and names around a message: OpenAI's formats need 3 or 4. */
const PER_MESSAGE = 4;
/** Tokens around a tool call. */
const PER_TOOL_CALL = 4;

/** Settings, which no model reads. Values with texts longer than `LONGEST_SETTING` count nevertheless. */
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
/** Fields that Turnout handles itself and does not send to the provider. */
const NOT_SENT: ReadonlySet<string> = new Set(['metadata', 'store']);
/** Maximum JSON characters of a setting; enough for `logit_bias` and a few stop sequences. */
const LONGEST_SETTING = 1_024;

interface Parts {
  texts: string[];
  /** Tokens of everything but text: message overhead, images, audio. */
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

/** Objects count as JSON, including their field names, since schemas consist mostly of names. Numbers and booleans count as settings. */
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

/** Counts the non-text field of a part, and returns that field's name. */
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
      // Files are removed from the message; their passages are measured as text.
      return 'file';
    case 'text':
    case 'refusal':
      return undefined;
  }
}

/** Ids and similar fields that no model reads. */
const IDS: ReadonlySet<string> = new Set(['id', 'type', 'tool_call_id', 'cache_control', 'index']);
const LONGEST_ID = 128;

function addNamed({ texts }: Parts, name: string, value: unknown): void {
  const found = textsOfValue(value);
  if (!IDS.has(name) || found.some((text) => text.length > LONGEST_ID)) texts.push(...found);
}

/** OpenAI's models count 10 tokens for each second of audio. */
const TOKENS_PER_SECOND = 10;
/** Base64 characters per second: WAV counts as 16-bit PCM at 16 kHz, everything else as MP3 at 32 kbit/s. */
const CHARACTERS_PER_SECOND = { wav: 42_000, other: 5_300 };

/** An upper estimate, since only the size of the audio is known. */
function audioTokens({ data, format, ...fields }: Readonly<Record<string, unknown>>): number {
  const characters = typeof data === 'string' ? data.length : JSON.stringify(fields).length;
  const perSecond = format === 'wav' ? CHARACTERS_PER_SECOND.wav : CHARACTERS_PER_SECOND.other;
  return Math.ceil(characters / perSecond) * TOKENS_PER_SECOND;
}
