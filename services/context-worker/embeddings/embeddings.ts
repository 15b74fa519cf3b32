import OpenAI from 'openai';
import pLimit from 'p-limit';
import { z } from 'zod';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { upstreamError } from '../../../shared/content/upstream/upstream-error.ts';
import { toBatches } from './batches.ts';

export interface Embeddings {
  readonly model: string;
  /**
   * One vector of length 1 for each text, in order. Throws `upstream_*`; in particular `upstream_stalled` after `timeoutMs`, which covers
   * the whole call. Rejects with the signal's reason when aborted. Sockets are closed in every case.
   */
  embed(texts: readonly string[], call: EmbeddingCall): Promise<Float32Array[]>;
}

export interface EmbeddingCall {
  signal: AbortSignal;
  /** Milliseconds. */
  timeoutMs: number;
  /** The job that needs the vectors, if any. */
  jobId?: string | undefined;
  traceparent?: string | undefined;
}

interface EmbeddingsOptions {
  /** Including `/v1`. */
  baseURL: string;
  apiKey: string;
  model: string;
}

const PARALLEL = 4;
/** Our timeout applies, through the signal. The openai client's default of ten minutes must not end a call earlier. */
const NO_CLIENT_TIMEOUT_MS = 2 ** 31 - 1;

const answer = z.object({
  data: z.array(z.object({ index: z.int().min(0), embedding: z.array(z.number()).min(1) })),
});

/** Vectors from an OpenAI-compatible `/v1/embeddings`. No retries: without vectors, documents are compared by words only. */
export function createEmbeddings({ baseURL, apiKey, model }: EmbeddingsOptions): Embeddings {
  const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, logLevel: 'off' });

  async function embedBatch(input: string[], call: EmbeddingCall): Promise<Float32Array[]> {
    // Not `client.embeddings.create`: it requests base64, which several providers behind LiteLLM reject.
    const response = await client.post<unknown>('/embeddings', {
      body: { model, input },
      headers: headersOf(call),
      signal: call.signal,
      timeout: NO_CLIENT_TIMEOUT_MS,
    });
    return toVectors(response, input.length);
  }

  return {
    model,
    embed: async (texts, call) => {
      const limit = pLimit(PARALLEL);
      const [others, timeout] = [new AbortController(), AbortSignal.timeout(call.timeoutMs)];
      const signal = AbortSignal.any([call.signal, timeout, others.signal]);
      try {
        signal.throwIfAborted();
        const batches = toBatches(texts);
        const vectors = await Promise.all(
          batches.map((batch) => limit(() => embedBatch(batch, { ...call, signal }))),
        );
        return sameDimensions(vectors.flat());
      } catch (error) {
        call.signal.throwIfAborted();
        throw timeout.aborted ? new TurnoutError('upstream_stalled', { cause: error }) : upstreamError(error);
      } finally {
        others.abort();
      }
    },
  };
}

function headersOf({ jobId, traceparent }: EmbeddingCall): Record<string, string> {
  return {
    ...(jobId === undefined ? {} : { 'x-turnout-job-id': jobId }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

/** Throws `upstream_failed` if the response does not have one vector for each text. */
function toVectors(response: unknown, count: number): Float32Array[] {
  const parsed = answer.safeParse(response);
  if (!parsed.success) throw new TurnoutError('upstream_failed', { cause: parsed.error });
  const vectors = new Map(parsed.data.data.map(({ index, embedding }) => [index, toUnit(embedding)]));
  return Array.from({ length: count }, (_, at) => {
    const vector = vectors.get(at);
    if (!vector) throw new TurnoutError('upstream_failed', { cause: new Error(`no vector for text ${at}`) });
    return vector;
  });
}

function sameDimensions(vectors: Float32Array[]): Float32Array[] {
  const lengths = new Set(vectors.map(({ length }) => length));
  if (lengths.size <= 1) return vectors;
  throw new TurnoutError('upstream_failed', { cause: new Error('the vectors have different lengths') });
}

function toUnit(values: readonly number[]): Float32Array {
  const length = Math.hypot(...values) || 1;
  return Float32Array.from(values, (value) => value / length);
}
