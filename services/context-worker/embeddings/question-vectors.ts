import { unlessAborted } from '../../../shared/platform/util/unless-aborted.ts';
import { type EmbeddingCall, type Embeddings } from './embeddings.ts';

/** A call for one job's question. */
export interface QuestionCall extends EmbeddingCall {
  jobId: string;
  user: string;
}

/** Finds the vector that was made of the same user's same text before, or makes it. */
export type Through<Call extends QuestionCall> = (
  text: string,
  call: Call,
  make: (signal: AbortSignal) => Promise<Float32Array>,
) => Promise<Float32Array>;

/** Vectors of questions. */
export interface QuestionVectors<Call extends QuestionCall> {
  /**
   * As `Embeddings.embed`. The documents of one job ask the same at the same time: it is embedded once. Never for another user:
   * how fast an answer comes must not tell what others ask.
   */
  of(question: string, call: Call): Promise<Float32Array>;
}

/** Jobs. */
const KEPT = 256;
/** Of each end: many models take 512 tokens, and people ask before what they paste, or after it. */
const QUESTION_END = 1_000;

export function createQuestionVectors<Call extends QuestionCall>(
  embeddings: Embeddings,
  through: Through<Call>,
): QuestionVectors<Call> {
  /** In the order of their first use. A failure is nobody's memory. */
  const known = new Map<string, Promise<Float32Array>>();

  async function embed(text: string, call: Call): Promise<Float32Array> {
    const [first] = await embeddings.embed([text], call);
    return first ?? new Float32Array();
  }

  function ask(key: string, text: string, call: Call): Promise<Float32Array> {
    // Not with the first asker's signal: the others wait for the same answer.
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
