import { answerChat } from '../chat.ts';
import { DEFAULT_DIMENSIONS, embed, toBase64 } from '../core/embedding.ts';
import { seedOf } from '../core/random.ts';
import { countTokens } from '../core/tokens.ts';
import { deliverJson, deliverStream } from '../http/delivery.ts';
import { parseJson, readBody, sendJson, type Exchange, type Route } from '../http/router.ts';
import { jobOf, knobsOf, openCall, type Simulator } from '../simulator.ts';
import { parseChat, parseEmbeddings, type EmbeddingsBody, type ParsedChat } from './schema.ts';
import { type Additions, jsonScript, streamScript, type WireOptions } from './wire.ts';

async function chat(simulator: Simulator, exchange: Exchange): Promise<void> {
  const parsed = parseChat(parseJson(await readBody(exchange.request, simulator.maxBodyBytes)));
  deliverChat(simulator, exchange, parsed);
}

/** `additions`: fields that a provider with this wire format adds. */
export function deliverChat(
  simulator: Simulator,
  exchange: Exchange,
  parsed: ParsedChat,
  additions?: Additions,
): void {
  const { request, stream, includeUsage, logprobs } = parsed;
  answerChat(simulator, exchange, parsed, (delivery, reply) => {
    const options: WireOptions = {
      id: `chatcmpl-${delivery.call.id}`,
      model: request.model,
      created: Math.floor(exchange.receivedAt / 1000),
      includeUsage,
      logprobs,
      additions,
    };
    if (stream) deliverStream(delivery, streamScript(reply, options));
    else deliverJson(delivery, jsonScript(reply, options));
  });
}

/** Texts, or lists of token numbers, which are treated as texts. */
function embeddingInputs({ input }: EmbeddingsBody): { text: string; tokens: number }[] {
  const list: readonly (string | number | number[])[] = typeof input === 'string' ? [input] : input;
  const flat = typeof list[0] === 'number' ? [list.map(Number)] : list;
  return flat.map((item) => {
    if (typeof item === 'string') return { text: item, tokens: countTokens(item) };
    const numbers = typeof item === 'number' ? [item] : item;
    return { text: numbers.join(' '), tokens: numbers.length };
  });
}

async function embeddings(simulator: Simulator, exchange: Exchange): Promise<void> {
  const body = parseEmbeddings(parseJson(await readBody(exchange.request, simulator.maxBodyBytes)));
  const knobs = knobsOf(simulator, exchange, body.model, []);
  const inputs = embeddingInputs(body);
  const promptTokens = inputs.reduce((sum, { tokens }) => sum + tokens, 0);
  const seed = seedOf(...inputs.map(({ text }) => text));
  const call = {
    job: jobOf(exchange),
    kind: 'embeddings' as const,
    model: body.model,
    stream: false,
    continuation: 'none' as const,
    promptTokens,
    startedAt: exchange.receivedAt,
    conversation: String(seed),
  };
  const delivery = openCall(simulator, exchange, call, knobs, seed);
  if (delivery === null) return;
  const vectors = inputs.map(({ text }) => embed(text, body.dimensions ?? DEFAULT_DIMENSIONS));
  const data = vectors.map((vector, index) => ({
    object: 'embedding',
    index,
    embedding: body.encoding_format === 'base64' ? toBase64(vector) : [...vector],
  }));
  const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens };
  deliverJson(delivery, {
    body: JSON.stringify({ object: 'list', data, model: body.model, usage }),
    tokens: 0,
    reasoning: 0,
  });
}

function models({ models: names }: Simulator, { response }: Exchange): void {
  const data = names.map((id) => ({ id, object: 'model', created: 1_700_000_000, owned_by: 'turnout-sim' }));
  sendJson(response, 200, { object: 'list', data });
}

export function openaiRoutes(simulator: Simulator): Route[] {
  return [
    {
      method: 'POST',
      path: /^\/v1\/chat\/completions$/,
      provider: true,
      handle: (exchange) => chat(simulator, exchange),
    },
    {
      method: 'POST',
      path: /^\/v1\/embeddings$/,
      provider: true,
      handle: (exchange) => embeddings(simulator, exchange),
    },
    {
      method: 'GET',
      path: /^\/v1\/models$/,
      provider: true,
      handle: (exchange) => models(simulator, exchange),
    },
  ];
}
