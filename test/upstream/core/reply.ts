import { composeAnswer, composeReasoning, conversationSeed, questionOf } from './answer.ts';
import {
  remainder,
  splitContinuation,
  type Continuation,
  type Conversation,
  type Turn,
} from './conversation.ts';
import { sampleFromSchema } from './json-sample.ts';
import type { Knobs } from './knobs.ts';
import { countTokens, tokenise } from './tokens.ts';

/** A chat request and its reply, independent of any provider's wire format. */
export interface Tool {
  name: string;
  parameters: Readonly<Record<string, unknown>>;
}

export type AnswerFormat =
  { kind: 'text' } | { kind: 'json' } | { kind: 'schema'; schema: Readonly<Record<string, unknown>> };

export interface ChatRequest {
  model: string;
  turns: readonly Turn[];
  tools: readonly Tool[];
  toolChoice: 'auto' | 'none' | 'required' | { name: string };
  parallelToolCalls: boolean;
  format: AnswerFormat;
  choices: number;
  maxTokens: number | null;
  stop: readonly string[];
  effort: string | null;
  /** The request asks for thinking. A model with `reason` in its name thinks in any case. */
  thinking: boolean;
}

/** One token of the stream. A tool call begins with a token that carries its name. */
export type Piece =
  | { kind: 'reasoning' | 'content'; choice: number; text: string }
  | { kind: 'call'; choice: number; call: number; id: string; name: string }
  | { kind: 'arguments'; choice: number; call: number; text: string };

type FinishReason = 'stop' | 'length' | 'tool_calls';

export interface Choice {
  pieces: readonly Piece[];
  finish: FinishReason;
}

export interface Reply {
  choices: readonly Choice[];
  promptTokens: number;
  continuation: Continuation;
  seed: number;
}

export interface TokenUsage {
  prompt: number;
  completion: number;
  reasoning: number;
}

/** As OpenAI counts: each message costs three extra tokens, and the answer three more. */
const TOKENS_PER_TURN = 3;
const TOKENS_PER_REPLY = 3;
const TOKENS_PER_ATTACHMENT = 85;

export function countPrompt(turns: readonly Turn[], tools: readonly Tool[]): number {
  const spoken = turns.reduce(
    (sum, turn) =>
      sum +
      TOKENS_PER_TURN +
      countTokens(turn.text) +
      turn.attachments * TOKENS_PER_ATTACHMENT +
      turn.toolCalls.reduce((calls, call) => calls + 1 + countTokens(call.arguments), 0),
    0,
  );
  return spoken + (tools.length === 0 ? 0 : countTokens(JSON.stringify(tools))) + TOKENS_PER_REPLY;
}

const EFFORT_TOKENS: Readonly<Record<string, number>> = {
  none: 0,
  minimal: 8,
  low: 16,
  medium: 32,
  high: 64,
  xhigh: 128,
};

function reasoningTokens(request: ChatRequest, knobs: Knobs, continuation: Continuation): number {
  // Models that accept a prefilled answer do not reason before they continue it.
  if (continuation === 'prefill') return 0;
  if (knobs.reasoning !== null) return knobs.reasoning;
  if (!request.thinking && !/reason/i.test(request.model)) return 0;
  return EFFORT_TOKENS[request.effort ?? 'medium'] ?? 32;
}

/** The tools that the last user message asks for (`call <toolname>`), or that the request's tool_choice forces. */
export function requestedTools(request: ChatRequest): Tool[] {
  const { tools, toolChoice, turns } = request;
  const last = turns.at(-1);
  if (tools.length === 0 || toolChoice === 'none' || last?.role === 'tool') return [];
  if (typeof toolChoice === 'object') return tools.filter(({ name }) => name === toolChoice.name).slice(0, 1);
  const text = (last?.text ?? '').toLowerCase();
  const named = tools.filter(({ name }) => text.includes(`call ${name.toLowerCase()}`));
  const asked = named.length === 0 && toolChoice === 'required' ? tools.slice(0, 1) : named;
  return request.parallelToolCalls ? asked : asked.slice(0, 1);
}

function toolPieces(request: ChatRequest, tools: readonly Tool[], seed: number, choice: number): Piece[] {
  const text = request.turns.at(-1)?.text ?? '';
  return tools.flatMap(({ name, parameters }, call): Piece[] => {
    const value = sampleFromSchema(
      { type: 'object', ...parameters },
      { text, fallback: (property) => `some ${property}` },
    );
    const id = `call_${(seed + choice).toString(16).padStart(8, '0')}${call.toString(16).padStart(4, '0')}`;
    const parts = tokenise(JSON.stringify(value)).map((part): Piece => ({
      kind: 'arguments',
      choice,
      call,
      text: part,
    }));
    return [{ kind: 'call', choice, call, id, name }, ...parts];
  });
}

function answerText(request: ChatRequest, turns: readonly Turn[], variant: number, knobs: Knobs): string {
  const text = composeAnswer(turns, {
    variant,
    tokens: request.format.kind === 'text' ? knobs.tokens : null,
  });
  const question = questionOf(turns);
  switch (request.format.kind) {
    case 'text':
      return text;
    case 'json':
      return JSON.stringify({ question, answer: text });
    case 'schema':
      return JSON.stringify(
        sampleFromSchema(request.format.schema, { text: question, fallback: () => text }),
      );
  }
}

/** The split conversation, shared by all choices. */
interface Plan extends Conversation {
  seed: number;
}

/** The text of the answer that follows the partial answer. */
function continued(request: ChatRequest, plan: Plan, knobs: Knobs, choice: number): string {
  const mode = plan.continuation === 'none' ? 'same' : knobs.continue;
  const text = answerText(request, plan.turns, mode === 'different' ? choice + 1 : choice, knobs);
  if (mode === 'same' || mode === 'different' || mode === 'refuse') return text;
  const rest = remainder(text, plan.partial);
  // A model that cannot continue the partial answer begins again and ignores the requested first words.
  return rest === text || plan.lead === '' ? rest : LEADS[mode](plan.lead) + rest;
}

/** The ways in which a model repeats the words that it was asked to begin with. */
const LEADS = {
  continue: (lead: string) => lead,
  quoted: (lead: string) => `"...${lead}"`,
  tagged: (lead: string) => `<last_words>${lead}</last_words>`,
  bare: () => '',
} as const;

function untilStop(text: string, stop: readonly string[]): string {
  const ends = stop.map((word) => (word === '' ? -1 : text.indexOf(word))).filter((at) => at >= 0);
  return ends.length === 0 ? text : text.slice(0, Math.min(...ends));
}

function answerPieces(request: ChatRequest, plan: Plan, knobs: Knobs, choice: number): Piece[] {
  const text = untilStop(continued(request, plan, knobs, choice), request.stop);
  return tokenise(text).map((part): Piece => ({ kind: 'content', choice, text: part }));
}

function planChoice(request: ChatRequest, plan: Plan, knobs: Knobs, choice: number): Choice {
  const thinking = composeReasoning(plan.turns, reasoningTokens(request, knobs, plan.continuation));
  const thoughts = tokenise(thinking).map((text): Piece => ({ kind: 'reasoning', choice, text }));
  const asked = { ...request, turns: plan.turns };
  const tools = requestedTools(asked);
  const said =
    tools.length > 0
      ? toolPieces(asked, tools, plan.seed, choice)
      : answerPieces(request, plan, knobs, choice);
  const pieces = [...thoughts, ...said];
  const limit = request.maxTokens ?? Infinity;
  if (pieces.length > limit) return { pieces: pieces.slice(0, limit), finish: 'length' };
  return { pieces, finish: tools.length > 0 ? 'tool_calls' : 'stop' };
}

/** Decides the whole reply before its first token is sent. */
export function planReply(request: ChatRequest, knobs: Knobs): Reply {
  const conversation = splitContinuation(request.turns);
  const plan = { ...conversation, seed: conversationSeed(conversation.turns) };
  return {
    choices: Array.from({ length: request.choices }, (_, choice) => planChoice(request, plan, knobs, choice)),
    promptTokens: countPrompt(request.turns, request.tools),
    continuation: plan.continuation,
    seed: plan.seed,
  };
}

/** The order in which the pieces are streamed: choices interleaved, as providers do. */
export function interleave(choices: readonly Choice[]): Piece[] {
  const longest = Math.max(0, ...choices.map(({ pieces }) => pieces.length));
  if (choices.length === 1) return [...(choices[0]?.pieces ?? [])];
  return Array.from({ length: longest }, (_, at) =>
    choices.flatMap(({ pieces }) => pieces.slice(at, at + 1)),
  ).flat();
}

export function usageOf(reply: Reply): TokenUsage {
  const all = reply.choices.flatMap(({ pieces }) => pieces);
  return {
    prompt: reply.promptTokens,
    completion: all.length,
    reasoning: all.filter(({ kind }) => kind === 'reasoning').length,
  };
}
