import { RE2JS, RE2Set } from 're2js';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Assistant } from '../../../shared/content/assistants/assistant-file.ts';
import { isOfType, type TypedDocument } from './file-types.ts';
import { createLexicalIndex, type LexicalIndex } from './lexical-index.ts';
import { type AssistantUser, mayUse } from '../../../shared/content/assistants/may-use.ts';

type AssistantEvent = Extract<JobEvent, { type: 'assistant' }>;

export interface SelectionRequest {
  /** The assistant that the client named; undefined: select one. */
  asked?: string | undefined;
  /** The assistant that answered before in the same conversation. */
  conversation?: string | undefined;
  /** A model's answer: the name of an assistant, or that none fits. Undefined: no model was asked, or its answer was not usable. */
  modelChoice?: { name: string | undefined } | undefined;
  question: string;
  documents: readonly TypedDocument[];
  user: AssistantUser;
}

export interface Selection {
  assistant: Assistant;
  reason: AssistantEvent['reason'];
  /** Similarity to the question, of the best few assistants; empty when no scores were needed. */
  scores: AssistantEvent['scores'];
}

export interface Selector {
  /** Finds an assistant by name, without checking access. */
  find(name: string): Assistant | undefined;
  /** The assistants that this user may use. */
  allowed(user: AssistantUser): Assistant[];
  /**
   * Undefined when none fits. Throws `assistant_not_found` when the request names an assistant that does not exist or that the user may
   * not use. The same request and assistants always give the same result.
   */
  select(request: SelectionRequest): Selection | undefined;
}

/** Found on the validation split of CLINC150 (decision 0011). */
const FLOOR = 0.07;
const FLOOR_GROWTH = 0.058;
/** The best score must exceed the second by at least this share of itself. */
const MARGIN = 0.05;

/** Of a long question, this many characters from each end are compared: users write their question before or after pasted text. */
const QUESTION_END = 300;
const SCORES_TOLD = 3;

/** An assistant and its position in the lexical index. */
interface Candidate {
  assistant: Assistant;
  at: number;
}

/** Prepares the selection among `assistants` in tens of milliseconds, so that each selection takes a fraction of one. */
export function createSelector(assistants: readonly Assistant[]): Selector {
  const candidates = assistants.map((assistant, at) => ({ assistant, at }));
  const index = createLexicalIndex(assistants.map((one) => [one.description, ...one.examples]));
  const matching = createPatterns(assistants);
  const byName = new Map(assistants.map((assistant) => [assistant.name, assistant]));
  return {
    find: (name) => byName.get(name),
    allowed: (user) => assistants.filter((assistant) => mayUse(assistant, user)),
    select: (request) => {
      const allowed = candidates.filter(({ assistant }) => mayUse(assistant, request.user));
      if (request.asked !== undefined) return asked(allowed, request.asked);
      const goesOn = named(allowed, request.conversation, 'conversation');
      if (goesOn) return goesOn;
      return request.modelChoice
        ? (named(allowed, request.modelChoice.name, 'model') ?? byDefault(allowed, []))
        : byContent(allowed, request, { index, matching });
    },
  };
}

function asked(allowed: readonly Candidate[], name: string): Selection {
  const found = allowed.find(({ assistant }) => assistant.name === name);
  if (found) return chosen(found, 'explicit');
  throw new TurnoutError('assistant_not_found', {
    message: `The assistant '${name}' does not exist.`,
    param: 'x-turnout-assistant',
  });
}

/** Undefined when the named assistant no longer exists, or the user may no longer use it; then another step selects. */
function named(
  allowed: readonly Candidate[],
  name: string | undefined,
  reason: Selection['reason'],
): Selection | undefined {
  const found = allowed.find(({ assistant }) => assistant.name === name);
  return found && chosen(found, reason);
}

function byDefault(allowed: readonly Candidate[], scores: Selection['scores']): Selection | undefined {
  const fallback = allowed.find(({ assistant }) => assistant.default);
  return fallback && { ...chosen(fallback, 'default'), scores };
}

interface Means {
  index: LexicalIndex;
  /** Positions of the assistants that have a matching pattern. */
  matching: (text: string) => ReadonlySet<number>;
}

/** A step that matches one assistant selects it. A step that matches several passes these on to the next step. */
function byContent(
  allowed: readonly Candidate[],
  { question, documents }: SelectionRequest,
  { index, matching }: Means,
): Selection | undefined {
  const typed = narrowed(allowed, ({ assistant }) =>
    documents.some((document) => isOfType(document, assistant.file_types)),
  );
  if (typed.only) return chosen(typed.only, 'file_type');
  const matched = matching(question);
  const patterned = narrowed(typed.rest, ({ at }) => matched.has(at));
  if (patterned.only) return chosen(patterned.only, 'pattern');

  const ranked = rank(patterned.rest, index.score(ends(question)));
  const [best] = ranked;
  const scores = scoresOf(ranked);
  if (best && standsOut(ranked)) return { ...chosen(best, 'similarity'), scores };
  return byDefault(allowed, scores);
}

/** The only matching candidate, or the remaining ones: all of them if none matches. */
function narrowed(candidates: readonly Candidate[], fits: (candidate: Candidate) => boolean) {
  const fitting = candidates.filter(fits);
  const [only] = fitting;
  if (fitting.length === 1 && only) return { only, rest: fitting };
  return { only: undefined, rest: fitting.length === 0 ? candidates : fitting };
}

function chosen({ assistant }: Candidate, reason: AssistantEvent['reason']): Selection {
  return { assistant, reason, scores: [] };
}

type Ranked = Candidate & { score: number };

/** Best first; equal scores in the order of the assistants. */
function rank(candidates: readonly Candidate[], scores: Float64Array): Ranked[] {
  return candidates
    .map((candidate) => ({ ...candidate, score: scores[candidate.at] ?? 0 }))
    .sort((a, b) => b.score - a.score);
}

function standsOut(ranked: readonly Ranked[]): boolean {
  const [best = 0, second = 0] = ranked.map(({ score }) => score);
  return best >= floorOf(ranked.length) && best - second >= MARGIN * best;
}

/** The least best score for this number of assistants: by chance alone, the best of many scores higher than the best of few. */
export function floorOf(assistants: number): number {
  return FLOOR + FLOOR_GROWTH * Math.log(assistants);
}

function scoresOf(ranked: readonly Ranked[]): AssistantEvent['scores'] {
  return ranked
    .slice(0, SCORES_TOLD)
    .map(({ assistant, score }) => ({ name: assistant.name, score: round(score) }));
}

function round(score: number): number {
  return Math.round(score * 1_000) / 1_000;
}

function ends(question: string): string {
  if (question.length <= 2 * QUESTION_END) return question;
  return `${question.slice(0, QUESTION_END)}\n${question.slice(-QUESTION_END)}`;
}

/** All patterns of all assistants in one pass over the text. */
function createPatterns(assistants: readonly Assistant[]): Means['matching'] {
  const owners = assistants.flatMap(({ patterns }, at) => patterns.map(() => at));
  if (owners.length === 0) return () => new Set();
  const set = new RE2Set(RE2Set.UNANCHORED, RE2JS.CASE_INSENSITIVE);
  for (const source of assistants.flatMap(({ patterns }) => patterns)) set.add(source);
  set.compile();
  return (text) => new Set(set.match(text).flatMap((pattern) => owners[pattern] ?? []));
}
