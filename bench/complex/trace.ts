import { generator } from '../../test/upstream/core/random.ts';

/** One request with context from everywhere: four documents that do not fit, a long thread, one retrieval service. */
export interface ComplexRequest {
  question: string;
  /** Of UTF-8 text, ~32 KB each. */
  documents: readonly string[];
  thread: readonly { role: 'user' | 'assistant'; content: string }[];
  /** Milliseconds that the model takes to its first token, as the question tells the simulator; undefined: it says nothing of it. */
  modelMs: number | undefined;
  /** Milliseconds that the retrieval service takes. */
  remoteMs: number;
}

/**
 * Milliseconds: what an embedding of a few dozen passages, a team's retrieval endpoint, a model of the middle class and a small one's
 * answer of one word take when nothing is wrong. The second and the third vary by up to 20% from request to request.
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

/** The same for the same seed. */
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
