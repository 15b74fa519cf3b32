import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toFile } from 'openai';
import type OpenAI from 'openai';
import { until } from '../../stack/until.ts';
import { median } from '../measure/percentiles.ts';
import { childrenOf, peakOf } from '../measure/peak-memory.ts';
import { askAboutDocument, type AskedFile, type DocumentReply } from './ask.ts';
import { type LongPdf, longPdf } from './long-pdf.ts';
import type { DOCUMENTS_PLAN } from './plan.ts';

/** Milliseconds. */
export interface DocumentTimes {
  /** From the beginning of its upload until the API had taken it, until its text was read, and until its vectors were stored. */
  uploaded: number;
  processed: number;
  embedded: number;
  /** To the first word of the first answer from it, and of those after it (their median). */
  firstAnswer: number;
  nextAnswers: number;
  /** To the first word where the document comes with the request and is read for it. */
  inline: number;
  /** From the beginning of an upload to the first word, where nobody waits until it was read. */
  atOnce: number;
}

/** MiB since each process began. */
export interface Peaks {
  contextWorker: number;
  /** The processes that documents are read in. */
  readers: number[];
  ingress: number;
}

export interface DocumentFindings {
  /** Of one document's PDF. */
  bytes: number;
  documents: DocumentTimes[];
  /** Milliseconds until the text of each of several, uploaded at the same time, was read. */
  crowd: number[];
  peaks: { before: Peaks; afterEach: Peaks[]; afterCrowd: Peaks };
  /** Answers that lack what they should have, or had to do without something. */
  wrong: string[];
}

interface Measuring {
  client: OpenAI;
  pids: Readonly<Record<string, number>>;
  blobFolder: string;
  plan: typeof DOCUMENTS_PLAN;
  say: (line: string) => void;
}

export async function measureDocuments(measuring: Measuring): Promise<DocumentFindings> {
  const { plan, say } = measuring;
  const before = peaksOf(measuring);
  const [documents, afterEach, wrong]: [DocumentTimes[], Peaks[], string[]] = [[], [], []];
  for (let at = 0; at < plan.documents; at += 1) {
    say(`document ${at + 1} of ${plan.documents}`);
    documents.push(await measureOne(measuring, at, wrong));
    afterEach.push(peaksOf(measuring));
  }
  say(`${plan.crowd} documents at once`);
  const crowd = await measureCrowd(measuring);
  const peaks = { before, afterEach, afterCrowd: peaksOf(measuring) };
  return { bytes: longPdf(plan.pages, 0).bytes.length, documents, crowd, peaks, wrong };
}

/** Two documents, so that nothing of the one that is waited for helps the one that is not. */
async function measureOne(measuring: Measuring, at: number, wrong: string[]): Promise<DocumentTimes> {
  const { client, plan } = measuring;
  const waited = longPdf(plan.pages, 2 * at);
  const hurried = longPdf(plan.pages, 2 * at + 1);
  const read = await uploadAndWait(measuring, waited);
  const about = (pdf: LongPdf, file: AskedFile) => rightAnswer(client, pdf, file, wrong);
  const first = await about(waited, { file_id: read.id });
  const next: number[] = [];
  for (let n = 0; n < plan.nextQuestions; n += 1)
    next.push((await about(waited, { file_id: read.id })).firstWordMs);
  const inline = await about(waited, {
    filename: 'long.pdf',
    file_data: `data:application/pdf;base64,${waited.bytes.toString('base64')}`,
  });
  const startedAt = performance.now();
  const file = await upload(client, hurried);
  const uploadedMs = performance.now() - startedAt;
  const { firstWordMs } = await about(hurried, { file_id: file.id });
  await Promise.all([client.files.delete(read.id), client.files.delete(file.id)]);
  return {
    ...read.times,
    firstAnswer: first.firstWordMs,
    nextAnswers: median(next),
    inline: inline.firstWordMs,
    atOnce: uploadedMs + firstWordMs,
  };
}

type ReadTimes = Pick<DocumentTimes, 'uploaded' | 'processed' | 'embedded'>;

async function uploadAndWait(
  { client, blobFolder, plan }: Measuring,
  pdf: LongPdf,
): Promise<{ id: string; times: ReadTimes }> {
  const startedAt = performance.now();
  const since = () => performance.now() - startedAt;
  const { id } = await upload(client, pdf);
  const uploaded = since();
  await waitFor('the text', plan, async () => (await statusOf(client, id)) === 'processed');
  const processed = since();
  await waitFor('the vectors', plan, () => existsSync(join(blobFolder, 'files', id, 'vectors')));
  return { id, times: { uploaded, processed, embedded: since() } };
}

async function measureCrowd({ client, plan }: Measuring): Promise<number[]> {
  const pdfs = Array.from({ length: plan.crowd }, (_, at) => longPdf(plan.pages, 1_000 + at));
  return Promise.all(
    pdfs.map(async (pdf) => {
      const startedAt = performance.now();
      const { id } = await upload(client, pdf);
      await waitFor('the text', plan, async () => (await statusOf(client, id)) === 'processed');
      const ms = performance.now() - startedAt;
      await client.files.delete(id);
      return ms;
    }),
  );
}

async function upload(client: OpenAI, { bytes }: LongPdf): Promise<{ id: string }> {
  return client.files.create({ file: await toFile(bytes, 'long.pdf'), purpose: 'user_data' });
}

/** The SDK calls the field deprecated; OpenAI still sends it. */
async function statusOf(client: OpenAI, id: string): Promise<string> {
  return ((await client.files.retrieve(id)) as { status: string }).status;
}

async function waitFor(
  what: string,
  { timeoutMs, everyMs }: typeof DOCUMENTS_PLAN,
  question: () => boolean | Promise<boolean>,
): Promise<void> {
  if (!(await until(question, { timeoutMs, everyMs })))
    throw new Error(`${what} of a document did not come in ${timeoutMs / 1_000} s`);
}

async function rightAnswer(
  client: OpenAI,
  { question, answer }: LongPdf,
  file: AskedFile,
  wrong: string[],
): Promise<DocumentReply> {
  const reply = await askAboutDocument(client, question, file);
  if (!reply.text.includes(answer)) wrong.push(`an answer without the fact: ${reply.text.slice(0, 100)}`);
  if (reply.degraded !== null) wrong.push(`an answer without the meaning of ${reply.degraded}`);
  return reply;
}

function peaksOf({ pids }: Measuring): Peaks {
  const { ingress = Number.NaN, 'context-worker': worker = Number.NaN } = pids;
  return {
    contextWorker: peakOf(worker),
    readers: childrenOf(worker).map(peakOf),
    ingress: peakOf(ingress),
  };
}
