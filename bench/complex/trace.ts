import { generator } from '../../test/upstream/core/random.ts';

/** One request with context from all sources: four documents that do not fit into the prompt, a long thread, one retrieval service. */
export interface ComplexRequest {
  question: string;
  /** UTF-8 text, about 32 KB each. */
  documents: readonly string[];
  thread: readonly { role: 'user' | 'assistant'; content: string }[];
  /** The model's time to first token in milliseconds, set in the question. Undefined: the question does not set it. */
  modelMs: number | undefined;
  /** The response time of the retrieval service in milliseconds. */
  remoteMs: number;
}

/**
 * Typical delays in milliseconds: the embedding of a few dozen passages, a team's retrieval endpoint, the first token of a mid-size
 * model, and a one-word answer of a small model. The second and the third vary by up to 20% between requests.
 */
export const DELAYS = { embedding: 400, remote: 400, model: 400, routing: 300, jitter: 0.2 } as const;

const DOCUMENTS = 4;
const SENTENCES_IN_DOCUMENT = 320;
const TURNS = 60;
const SENTENCES_IN_TURN = 6;

const WORDS =
  'signal track barrier relay switch lever platform carriage freight siding junction timetable driver brake coupling gauge ballast sleeper viaduct cutting depot shunting express local station bridge tunnel crossing conductor ticket'.split(
    ' ',
  );

/** Deterministic for a seed. */
export function complexTrace(count: number, seed: number): ComplexRequest[] {
  const random = generator(seed);
  const word = () => WORDS[Math.floor(random() * WORDS.length)] ?? '';
  const sentence = () => `The ${word()} of the ${word()} meets the ${word()} near ${word()} ${word()}.`;
  const sentences = (howMany: number) => Array.from({ length: howMany }, sentence);
  const varied = (ms: number) => Math.round(ms * (1 + DELAYS.jitter * (2 * random() - 1)));
  return Array.from({ length: count }, (_, at) => ({
    question: `What does case ${at} say about the ${word()} and the ${word()} near the ${word()}?`,
    documents: Array.from({ length: DOCUMENTS }, () => paragraphs(sentences(SENTENCES_IN_DOCUMENT))),
    thread: Array.from({ length: TURNS }, (_turn, turn) => ({
      role: turn % 2 === 0 ? ('user' as const) : ('assistant' as const),
      content: sentences(SENTENCES_IN_TURN).join(' '),
    })),
    modelMs: varied(DELAYS.model),
    remoteMs: varied(DELAYS.remote),
  }));
}

const SENTENCES_IN_PARAGRAPH = 8;

function paragraphs(sentences: readonly string[]): string {
  const starts = Array.from(
    { length: Math.ceil(sentences.length / SENTENCES_IN_PARAGRAPH) },
    (_, at) => at * SENTENCES_IN_PARAGRAPH,
  );
  return starts.map((at) => sentences.slice(at, at + SENTENCES_IN_PARAGRAPH).join(' ')).join('\n\n');
}
