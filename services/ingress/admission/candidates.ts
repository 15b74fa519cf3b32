import { type Assistant } from '../../../shared/content/assistants/assistant-file.ts';
import { mayUse } from '../../../shared/content/assistants/may-use.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { type RetrievalSource } from '../../../shared/platform/config/retrieval-sources.ts';
import { type JobMessage } from '../../../shared/contracts/job-message.ts';
import { countTokens } from '../../../shared/content/documents/tokens.ts';
import { AUTO } from './assistant-selection.ts';

/** An upper bound of what may answer a job and what is added to its request. The router makes the actual choice later. */
export interface Candidates {
  /** Models that may answer first. */
  models: readonly string[];
  /** Models that may answer if those fail. */
  fallbacks: readonly string[];
  /** The maximum tokens of assistant instructions and of passages from retrieval services. */
  besideTokens: number;
}

export interface CandidateRules {
  assistants: () => readonly Assistant[];
  sources: readonly Pick<RetrievalSource, 'name' | 'always' | 'tokens'>[];
  /** Model -> its fallback models, in order. */
  fallbacks: Readonly<Record<string, readonly string[]>>;
  defaultModel: string | undefined;
}

interface Asked {
  model: string;
  assistant: JobMessage['assistant'];
  caller: Pick<Principal, 'user' | 'groups'>;
}

const instructionTokens = new WeakMap<Assistant, number>();

export function candidatesOf({ model, assistant, caller }: Asked, rules: CandidateRules): Candidates {
  const { sources, fallbacks, defaultModel } = rules;
  const chosen = assistant ? assistantsFor(assistant, caller, rules.assistants()) : [];
  const left = assistant !== undefined && model === AUTO;
  const named = left ? [...chosen.map((one) => one.model ?? defaultModel), defaultModel] : [model];
  const models = [...new Set(named.flatMap((one) => one ?? []))];
  const always = sources.filter((source) => source.always).reduce((sum, { tokens }) => sum + tokens, 0);
  return {
    models,
    fallbacks: models.flatMap((one) => (Object.hasOwn(fallbacks, one) ? (fallbacks[one] ?? []) : [])),
    besideTokens: always + Math.max(0, ...chosen.map((one) => tokensOf(one, sources))),
  };
}

/** Without a named assistant all that the caller may use are candidates: the previous one is likely, but not certain, to answer again. */
function assistantsFor(
  { asked }: NonNullable<JobMessage['assistant']>,
  caller: Pick<Principal, 'user' | 'groups'>,
  all: readonly Assistant[],
): readonly Assistant[] {
  return all.filter((one) => (asked === undefined ? mayUse(one, caller) : one.name === asked));
}

function tokensOf(assistant: Assistant, sources: CandidateRules['sources']): number {
  const instructions = instructionTokens.get(assistant) ?? countTokens(assistant.instructions);
  instructionTokens.set(assistant, instructions);
  const named = sources.filter(({ name, always }) => !always && assistant.sources.includes(name));
  return named.reduce((sum, { tokens }) => sum + tokens, instructions);
}
