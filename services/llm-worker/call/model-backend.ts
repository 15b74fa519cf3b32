import {
  type ChatCompletionChunk,
  type ChatCompletionCreateParamsStreaming,
} from 'openai/resources/chat/completions';
import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import {
  createProviderClient,
  type ProviderAddress,
} from '../../../shared/content/upstream/provider-client.ts';
import { readChunks } from './chunk-stream.ts';

/** A backend for model calls: LiteLLM, or the legacy provider called directly. */
export interface ModelBackend {
  /** Opens the stream. Rejects with the openai client's error; aborting the signal closes the socket. */
  open(body: ChatRequest, call: ModelCall): Promise<OpenStream>;
}

export interface ModelCall {
  jobId: string;
  traceparent: string | undefined;
  signal: AbortSignal;
}

export interface OpenStream {
  /** The chunks, in the groups in which they arrive. */
  chunks: AsyncIterable<ChatCompletionChunk[]>;
  /** LiteLLM's id of the call, if there is one. */
  callId: string | undefined;
}

/**
 * Always requests a stream, even for a client that did not ask for one: LiteLLM closes the provider's socket after a disconnect only
 * for streams.
 */
export function createModelBackend(address: ProviderAddress): ModelBackend {
  const client = createProviderClient(address);
  return {
    open: async (body, { jobId, traceparent, signal }) => {
      const headers = { 'x-turnout-job-id': jobId, ...(traceparent === undefined ? {} : { traceparent }) };
      const response = await client.chat.completions
        .create(streaming(body), { signal, headers, timeout: NO_CLIENT_TIMEOUT_MS })
        .asResponse();
      return { chunks: readChunks(response), callId: response.headers.get('x-litellm-call-id') ?? undefined };
    },
  };
}

/** The job's deadline applies, through the signal. The openai client's default timeout of ten minutes must not end a call earlier. */
const NO_CLIENT_TIMEOUT_MS = 2 ** 31 - 1;

function streaming(body: ChatRequest): ChatCompletionCreateParamsStreaming {
  const options = { ...body.stream_options, include_usage: true };
  return { ...body, stream: true, stream_options: options } as unknown as ChatCompletionCreateParamsStreaming;
}
