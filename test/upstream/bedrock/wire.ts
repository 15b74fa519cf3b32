import { usageOf, type Choice, type Piece, type Reply } from '../core/reply.ts';
import type { JsonScript, StreamScript } from '../http/delivery.ts';
import { eventMessage, exceptionMessage } from './event-stream.ts';

/** Bedrock's Converse, as one body and as stream events. An answer is a list of content blocks. */
export interface WireOptions {
  /** Response fields with the number of thinking tokens, which Converse's usage omits. */
  thinkingFields: boolean;
}

/** A piece, and its position within its content block. */
interface BlockPiece {
  piece: Piece;
  block: number;
  first: boolean;
  last: boolean;
}

const STOP_REASONS = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' } as const;
const SIGNATURE = Buffer.from('simulated signature').toString('base64');

const blockKey = (piece: Piece | undefined): string =>
  piece === undefined ? '' : 'call' in piece ? `call ${piece.call}` : piece.kind;

function toBlocks(pieces: readonly Piece[]): BlockPiece[] {
  let block = -1;
  return pieces.map((piece, at) => {
    const key = blockKey(piece);
    const first = key !== blockKey(pieces[at - 1]);
    if (first) block += 1;
    return { piece, block, first, last: key !== blockKey(pieces[at + 1]) };
  });
}

function deltaOf(piece: Piece): object | null {
  switch (piece.kind) {
    case 'reasoning':
      return { reasoningContent: { text: piece.text } };
    case 'content':
      return { text: piece.text };
    case 'arguments':
      return { toolUse: { input: piece.text } };
    case 'call':
      return null;
  }
}

function encode({ piece, block: contentBlockIndex, last }: BlockPiece): string {
  const delta = (content: object): string =>
    eventMessage('contentBlockDelta', { contentBlockIndex, delta: content });
  const said = deltaOf(piece);
  const start =
    piece.kind === 'call'
      ? eventMessage('contentBlockStart', {
          contentBlockIndex,
          start: { toolUse: { toolUseId: piece.id, name: piece.name } },
        })
      : '';
  const signed =
    last && piece.kind === 'reasoning' ? delta({ reasoningContent: { signature: SIGNATURE } }) : '';
  const stop = last ? eventMessage('contentBlockStop', { contentBlockIndex }) : '';
  return start + (said === null ? '' : delta(said)) + signed + stop;
}

/** A message whose payload does not match its checksum. */
function garble(piece: BlockPiece): string {
  const bytes = Buffer.from(encode({ ...piece, last: false }), 'latin1');
  const at = bytes.length - 6;
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  return bytes.toString('latin1');
}

function usageBody(reply: Reply): object {
  const { prompt, completion } = usageOf(reply);
  return { inputTokens: prompt, outputTokens: completion, totalTokens: prompt + completion };
}

function endOf(reply: Reply, { thinkingFields }: WireOptions): object {
  const fields = { usage: { output_tokens_details: { thinking_tokens: usageOf(reply).reasoning } } };
  return {
    stopReason: STOP_REASONS[reply.choices[0]?.finish ?? 'stop'],
    ...(thinkingFields ? { additionalModelResponseFields: fields } : {}),
  };
}

export function streamScript(reply: Reply, options: WireOptions): StreamScript<BlockPiece> {
  return {
    contentType: 'application/vnd.amazon.eventstream',
    encoding: 'latin1',
    head: eventMessage('messageStart', { role: 'assistant' }),
    pieces: toBlocks(reply.choices[0]?.pieces ?? []),
    encode,
    isReasoning: ({ piece }) => piece.kind === 'reasoning',
    garble,
    failure: exceptionMessage('modelStreamErrorException', 'simulated failure inside a stream'),
    tail:
      eventMessage('messageStop', endOf(reply, options)) +
      eventMessage('metadata', { usage: usageBody(reply), metrics: { latencyMs: 1 } }),
  };
}

function contentOf({ pieces }: Choice): object[] {
  const blocks = Map.groupBy(pieces, blockKey);
  return [...blocks.values()].map((group) => {
    const [first] = group;
    const text = group.map((piece) => ('text' in piece ? piece.text : '')).join('');
    if (first?.kind === 'call')
      return { toolUse: { toolUseId: first.id, name: first.name, input: parseArguments(text) } };
    if (first?.kind === 'reasoning')
      return { reasoningContent: { reasoningText: { text, signature: SIGNATURE } } };
    return { text };
  });
}

/** A tool call that was cut at the token limit is omitted. */
function parseArguments(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

export function jsonScript(reply: Reply, options: WireOptions): JsonScript {
  const { completion, reasoning } = usageOf(reply);
  const body = JSON.stringify({
    output: { message: { role: 'assistant', content: reply.choices.flatMap(contentOf) } },
    ...endOf(reply, options),
    usage: usageBody(reply),
    metrics: { latencyMs: 1 },
  });
  return { body, tokens: completion, reasoning };
}
