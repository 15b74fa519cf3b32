import { interleave, usageOf, type Choice, type Piece, type Reply } from '../core/reply.ts';
import type { JsonScript, StreamScript } from '../http/delivery.ts';

/** Gemini's GenerateContentResponse, as one body and as server-sent events. */
export interface WireOptions {
  id: string;
  model: string;
  includeThoughts: boolean;
}

const FINISH = { stop: 'STOP', length: 'MAX_TOKENS', tool_calls: 'STOP' } as const;
const SIGNATURE = Buffer.from('simulated signature').toString('base64');

/** A piece with its chunk's part. Null for hidden thoughts, and for all but the last piece of a function call, which Gemini sends whole. */
interface PartPiece {
  piece: Piece;
  part: object | null;
  /** Number so far, including this one. */
  counts: { said: number; thought: number };
}

function partOf(piece: Piece, pieces: readonly Piece[], { includeThoughts }: WireOptions): object | null {
  if (!('call' in piece)) {
    if (piece.kind === 'content') return { text: piece.text };
    return includeThoughts ? { text: piece.text, thought: true } : null;
  }
  const { choice, call } = piece;
  const ofCall = pieces.filter((other) => 'call' in other && other.choice === choice && other.call === call);
  return ofCall.at(-1) === piece ? callPart(ofCall) : null;
}

/** Null for a call that was cut at the token limit. The first call of an answer carries the signature of the thinking. */
function callPart(pieces: readonly Piece[]): object | null {
  const [called] = pieces;
  if (called?.kind !== 'call') return null;
  const text = pieces.map((piece) => (piece.kind === 'arguments' ? piece.text : '')).join('');
  try {
    const functionCall = { name: called.name, args: JSON.parse(text) as unknown };
    return { functionCall, ...(called.call === 0 ? { thoughtSignature: SIGNATURE } : {}) };
  } catch {
    return null;
  }
}

function toParts(pieces: readonly Piece[], options: WireOptions): PartPiece[] {
  const counts = { said: 0, thought: 0 };
  return pieces.map((piece) => {
    counts[piece.kind === 'reasoning' ? 'thought' : 'said'] += 1;
    return { piece, part: partOf(piece, pieces, options), counts: { ...counts } };
  });
}

/** The candidates' token count excludes thoughts. */
function usageBody(promptTokenCount: number, { said, thought }: PartPiece['counts']): object {
  return {
    promptTokenCount,
    candidatesTokenCount: said,
    totalTokenCount: promptTokenCount + said + thought,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: promptTokenCount }],
    ...(thought === 0 ? {} : { thoughtsTokenCount: thought }),
  };
}

function countsOf(reply: Reply): PartPiece['counts'] {
  const { completion, reasoning } = usageOf(reply);
  return { said: completion - reasoning, thought: reasoning };
}

const candidate = (index: number, parts: readonly object[]) => ({ content: { parts, role: 'model' }, index });

export function streamScript(reply: Reply, options: WireOptions): StreamScript<PartPiece> {
  const { id: responseId, model: modelVersion } = options;
  const chunk = (candidates: readonly object[], counts: PartPiece['counts']): string => {
    const usageMetadata = usageBody(reply.promptTokens, counts);
    return `data: ${JSON.stringify({ candidates, usageMetadata, modelVersion, responseId })}\r\n\r\n`;
  };
  const encode = ({ piece, part, counts }: PartPiece): string =>
    part === null ? '' : chunk([candidate(piece.choice, [part])], counts);
  const last = reply.choices.map(({ finish }, index) => ({
    ...candidate(index, [{ text: '' }]),
    finishReason: FINISH[finish],
  }));
  return {
    contentType: 'text/event-stream',
    encoding: 'utf8',
    head: '',
    pieces: toParts(interleave(reply.choices), options),
    encode,
    isReasoning: ({ piece }) => piece.kind === 'reasoning',
    garble: (piece) => `data: {"candidates": [{"content": ${JSON.stringify(piece.part).slice(0, 6)}\r\n\r\n`,
    failure: `data: ${JSON.stringify(STREAM_FAILURE)}\r\n\r\n`,
    tail: chunk(last, countsOf(reply)),
  };
}

const STREAM_FAILURE = {
  error: { code: 503, message: 'simulated failure inside a stream', status: 'UNAVAILABLE' },
};

/** Adjacent pieces of one kind become one part. */
function mergedParts({ pieces }: Choice, options: WireOptions): object[] {
  const parts = toParts(pieces, options).flatMap(({ piece, part }) =>
    part === null ? [] : [{ piece, part }],
  );
  const texts = (kind: 'content' | 'reasoning') =>
    parts.map(({ piece }) => (piece.kind === kind ? piece.text : '')).join('');
  const [thought, said] = [texts('reasoning'), texts('content')];
  return [
    ...(thought === '' ? [] : [{ text: thought, thought: true }]),
    ...(said === '' ? [] : [{ text: said }]),
    ...parts.flatMap(({ piece, part }) => ('call' in piece ? [part] : [])),
  ];
}

export function jsonScript(reply: Reply, options: WireOptions): JsonScript {
  const { completion, reasoning } = usageOf(reply);
  const body = JSON.stringify({
    candidates: reply.choices.map((choice, index) => ({
      ...candidate(index, mergedParts(choice, options)),
      finishReason: FINISH[choice.finish],
    })),
    usageMetadata: usageBody(reply.promptTokens, countsOf(reply)),
    modelVersion: options.model,
    responseId: options.id,
  });
  return { body, tokens: completion, reasoning };
}
