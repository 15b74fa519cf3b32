import { unlessAborted } from '../../../shared/platform/util/unless-aborted.ts';
import { type EmbeddingCall, type Embeddings } from './embeddings.ts';

/** An embedding call for one job's question. */
export interface QuestionCall extends EmbeddingCall {
  jobId: string;
  user: string;
}

/** Finds the cached vector of the same user's same text, or makes it. */
export type Through<Call extends QuestionCall> = (
  text: string,
  call: Call,
  make: (signal: AbortSignal) => Promise<Float32Array>,
) => Promise<Float32Array>;

/** Vectors of questions. */
export interface QuestionVectors<Call extends QuestionCall> {
  /**
   * As `Embeddings.embed`. All documents of one job need the same question at the same time, so it is embedded once. Vectors are never
   * shared between users: the response time must not reveal what other users ask.
   */
  of(question: string, call: Call): Promise<Float32Array>;
}

/** The number of questions that are remembered. */
const KEPT = 256;
/** Characters from each end of a long question: many models accept 512 tokens, and users write their question before or after pasted text. */
const QUESTION_END = 1_000;

export function createQuestionVectors<Call extends QuestionCall>(
  embeddings: Embeddings,
  through: Through<Call>,
): QuestionVectors<Call> {
  /** In the order of first use. Failures are removed. */
  const known = new Map<string, Promise<Float32Array>>();

  async function embed(text: string, call: Call): Promise<Float32Array> {
    const [first] = await embeddings.embed([text], call);
    return first ?? new Float32Array();
  }

  function ask(key: string, text: string, call: Call): Promise<Float32Array> {
    // Not with the first caller's signal: the other callers wait for the same vector.
    const shared = { ...call, signal: new AbortController().signal };
    const vector = through(text, shared, (signal) => embed(text, { ...call, signal }));
    known.set(key, vector);
    vector.catch(() => known.delete(key));
    const oldest = known.size > KEPT ? known.keys().next() : undefined;
    if (oldest?.value !== undefined) known.delete(oldest.value);
    return vector;
  }

  return {
    of: (question, call) => {
      const text = shortened(question);
      const key = `${call.jobId} ${text}`;
      return unlessAborted(known.get(key) ?? ask(key, text, call), call.signal);
    },
  };
}

function shortened(question: string): string {
  if (question.length <= 2 * QUESTION_END) return question;
  return `${question.slice(0, QUESTION_END)}\n${question.slice(-QUESTION_END)}`;
}
