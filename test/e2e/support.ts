import OpenAI, { type ClientOptions } from 'openai';
import { type ChatCompletionChunk } from 'openai/resources/chat/completions';
import { testEnv } from '../harness/env.ts';
import { type RunningServices } from '../harness/services.ts';

/** Disables retries and continuations, so that each failure of the provider is seen once. */
export const noSecondChance = {
  MAX_CALLS_PER_MODEL: '1',
  UNREACHABLE_GRACE_MS: '0',
  ON_LOST_ATTEMPT: 'fail',
} as const;

/** The official client as any user has it: with a URL and a key. */
export function openaiClient(services: RunningServices, options: ClientOptions = {}): OpenAI {
  return new OpenAI({ baseURL: `${services.url}/v1`, apiKey: testEnv().TURNOUT_API_KEY, ...options });
}

/** Reasoning under DeepSeek's and LiteLLM's name. OpenAI's own types do not have the field. */
interface WithReasoning {
  reasoning_content?: string;
}

export function reasoningOf(message: object | undefined): string {
  return (message as WithReasoning | undefined)?.reasoning_content ?? '';
}

export async function collect(stream: AsyncIterable<ChatCompletionChunk>): Promise<ChatCompletionChunk[]> {
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

export function textOf(chunks: readonly ChatCompletionChunk[], choice = 0): string {
  return choicesOf(chunks, choice)
    .map(({ delta }) => delta.content ?? '')
    .join('');
}

export function choicesOf(chunks: readonly ChatCompletionChunk[], choice = 0): ChatCompletionChunk.Choice[] {
  return chunks.flatMap(({ choices }) => choices).filter(({ index }) => index === choice);
}

/** The error with which a call fails. Throws if it succeeds. */
export async function failureOf(call: PromiseLike<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error('the call was expected to fail and succeeded');
}

/** What the provider saw of a job's call. */
export interface UpstreamCall {
  kind: 'chat' | 'embeddings';
  outcome: string;
  model: string;
  attempt: number;
  promptTokens: number;
  completionTokens: number;
}

export async function upstreamCalls(jobId: string): Promise<UpstreamCall[]> {
  const response = await fetch(`${testEnv().UPSTREAM_URL}/sim/ledger?job=${jobId}`);
  const { jobs } = (await response.json()) as { jobs: Record<string, UpstreamCall[]> };
  return jobs[jobId] ?? [];
}

/** An inline document as OpenAI's `file` part. */
export function textFile(filename: string, text: string) {
  const data = Buffer.from(text).toString('base64');
  return { type: 'file' as const, file: { filename, file_data: `data:text/plain;base64,${data}` } };
}
