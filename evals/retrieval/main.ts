/** `make retrieval-eval`: measures how often retrieval finds the passage with the answer on XQuAD, with BM25, embeddings and both. */
import { sha256Of } from '../../stack/install/jar-lock.ts';
import { cacheFolder } from '../../stack/layout.ts';
import { sayAs, writeReport } from '../../stack/reports.ts';
import { type Embeddings } from '../../services/context-worker/embeddings/embeddings.ts';
import { askAll } from './ask.ts';
import { startEmbeddingServer } from './embedding-server.ts';
import { embedAll, indexDocument } from './rankings.ts';
import { type RetrievalReport, toTask, retrievalText } from './report.ts';
import { type AskedDocument, parseSquad, together } from './squad.ts';
import { type Published, readData } from '../../bench/published.ts';

/** XQuAD's English part (Artetxe, Ruder and Yogatama 2020), CC BY-SA 4.0: 240 paragraphs of 48 articles, 1,190 questions. */
const XQUAD: Published = {
  url: 'https://raw.githubusercontent.com/google-deepmind/xquad/7d30520c717524000f0d9d2f9c10a069acd9d285/xquad.en.json',
  sha256: 'e4c57d1c9143aaa1c5d265ba5987a65f4e69528d2a98f29d6e75019b10344f29',
  command: 'make retrieval-eval',
};

const say = sayAs('retrieval');

const context = { cache: cacheFolder(process.env), say };
const [given] = process.argv.slice(2);
const json = await readData(given, XQUAD, context);
const articles = parseSquad(json);
const server = await startEmbeddingServer(context);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void server.stop().finally(() => process.exit(1)));
}
try {
  const report = await evaluate(articles, server.embeddings);
  console.log(retrievalText(report));
  writeReport('retrieval', report, say);
} finally {
  await server.stop();
}

async function evaluate(
  documents: readonly AskedDocument[],
  embeddings: Embeddings,
): Promise<RetrievalReport> {
  say('embedding the questions');
  const questions = documents.flatMap((one) => one.questions.map(({ text }) => text));
  const vectors = await embedAll(questions, embeddings);
  const measure = async (document: string, asked: readonly AskedDocument[]) => {
    say(`${document}: embedding the passages`);
    const indexed = await Promise.all(asked.map((one) => indexDocument(one, embeddings)));
    say(`${document}: ranking the passages`);
    return toTask(document, indexed, askAll(indexed, vectors));
  };
  const tasks = [
    await measure('each article', documents),
    await measure('all articles together', [together(documents)]),
  ];
  return { at: new Date().toISOString(), data: sha256Of(json), model: embeddings.model, tasks };
}
