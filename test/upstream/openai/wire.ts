import { seedOf } from '../core/random.ts';
import type { Choice, Piece, Reply } from '../core/reply.ts';
import { interleave, usageOf } from '../core/reply.ts';
import type { JsonScript, StreamScript } from '../http/delivery.ts';

/** OpenAI's chat completion, whole and in chunks. `reasoning_content` is DeepSeek's field, which LiteLLM passes through. */
export interface WireOptions {
  id: string;
  model: string;
  /** Seconds since the epoch. */
  created: number;
  includeUsage: boolean;
  logprobs: boolean;
  additions: Additions | undefined;
}

/** Fields that a provider with this wire format adds. */
export interface Additions {
  /** A chunk that precedes all others. */
  firstChunk: object;
  /** Added to the body, in addition to the choices. */
  body: object;
  /** Added to each choice. */
  choice: object;
}

function usageBody(reply: Reply): object {
  const { prompt, completion, reasoning } = usageOf(reply);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: 0 },
  };
}

/** A made-up log probability, always the same for the same token. */
function logprobOf(token: string): object {
  return { token, logprob: -(seedOf(token) % 1000) / 1000, bytes: [...Buffer.from(token)], top_logprobs: [] };
}

const logprobsOf = (piece: Piece): object[] => (piece.kind === 'content' ? [logprobOf(piece.text)] : []);

function deltaOf(piece: Piece): string {
  switch (piece.kind) {
    case 'reasoning':
      return `{"reasoning_content":${JSON.stringify(piece.text)}}`;
    case 'content':
      return `{"content":${JSON.stringify(piece.text)}}`;
    case 'call': {
      const opened = {
        index: piece.call,
        id: piece.id,
        type: 'function',
        function: { name: piece.name, arguments: '' },
      };
      return JSON.stringify({ tool_calls: [opened] });
    }
    case 'arguments':
      return JSON.stringify({ tool_calls: [{ index: piece.call, function: { arguments: piece.text } }] });
  }
}

const STREAM_FAILURE = {
  error: { message: 'simulated failure inside a stream', type: 'server_error', param: null, code: null },
};

/** Chunks are concatenated as text: they all share one frame, and this is the simulator's hottest path. */
export function streamScript(reply: Reply, options: WireOptions): StreamScript<Piece> {
  const { id, model, created, includeUsage, logprobs, additions } = options;
  const frame = JSON.stringify({
    id,
    object: 'chat.completion.chunk',
    created,
    model,
    system_fingerprint: 'fp_turnout_sim',
  });
  const before = `data: ${frame.slice(0, -1)},"choices":[`;
  const after = includeUsage ? `],"usage":null}\n\n` : `]}\n\n`;
  const added = additions === undefined ? '' : `,${JSON.stringify(additions.choice).slice(1, -1)}`;
  const chunk = (choice: number, delta: string, logprob: string, finish: string): string =>
    `${before}{"index":${choice},"delta":${delta},"logprobs":${logprob},"finish_reason":${finish}${added}}${after}`;
  const logprobField = (piece: Piece): string =>
    logprobs && piece.kind === 'content'
      ? JSON.stringify({ content: [logprobOf(piece.text)], refusal: null })
      : 'null';
  const encode = (piece: Piece): string => chunk(piece.choice, deltaOf(piece), logprobField(piece), 'null');
  const first = additions === undefined ? '' : `data: ${JSON.stringify(additions.firstChunk)}\n\n`;
  const role = '{"role":"assistant","content":"","refusal":null}';
  const closing = reply.choices
    .map(({ finish }, choice) => chunk(choice, '{}', 'null', `"${finish}"`))
    .join('');
  const usage = includeUsage ? `${before}],"usage":${JSON.stringify(usageBody(reply))}}\n\n` : '';
  return {
    contentType: 'text/event-stream; charset=utf-8',
    encoding: 'utf8',
    head: first + reply.choices.map((_, choice) => chunk(choice, role, 'null', 'null')).join(''),
    pieces: interleave(reply.choices),
    encode,
    isReasoning: ({ kind }) => kind === 'reasoning',
    garble: (piece) => `${encode(piece).slice(0, before.length + 20)}\n\n`,
    failure: `data: ${JSON.stringify(STREAM_FAILURE)}\n\n`,
    tail: `${closing}${usage}data: [DONE]\n\n`,
  };
}

function textOf(pieces: readonly Piece[], kind: 'reasoning' | 'content'): string {
  return pieces.map((piece) => (piece.kind === kind ? piece.text : '')).join('');
}

function toolCallsOf(pieces: readonly Piece[]): object[] {
  return pieces.flatMap((piece) => {
    if (piece.kind !== 'call') return [];
    const parts = pieces.map((part) =>
      part.kind === 'arguments' && part.call === piece.call ? part.text : '',
    );
    return [{ id: piece.id, type: 'function', function: { name: piece.name, arguments: parts.join('') } }];
  });
}

function choiceBody({ pieces, finish }: Choice, index: number, { logprobs, additions }: WireOptions): object {
  const reasoning = textOf(pieces, 'reasoning');
  const calls = toolCallsOf(pieces);
  return {
    index,
    message: {
      role: 'assistant',
      content: calls.length > 0 ? null : textOf(pieces, 'content'),
      refusal: null,
      ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
    },
    logprobs: logprobs ? { content: pieces.flatMap(logprobsOf), refusal: null } : null,
    finish_reason: finish,
    ...additions?.choice,
  };
}

export function jsonScript(reply: Reply, options: WireOptions): JsonScript {
  const { id, model, created, additions } = options;
  const { completion, reasoning } = usageOf(reply);
  const body = JSON.stringify({
    id,
    object: 'chat.completion',
    created,
    model,
    choices: reply.choices.map((choice, index) => choiceBody(choice, index, options)),
    usage: usageBody(reply),
    system_fingerprint: 'fp_turnout_sim',
    ...additions?.body,
  });
  return { body, tokens: completion, reasoning };
}
