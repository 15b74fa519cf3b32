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
  /** From the start of the upload until the API accepted it, until its text was extracted, and until its vectors were stored. */
  uploaded: number;
  processed: number;
  embedded: number;
  /** Time to the first word of the first answer, and of later answers (median). */
  firstAnswer: number;
  nextAnswers: number;
  /** Time to the first word if the document is inside the request. */
  inline: number;
  /** From the start of an upload to the first word, if the question is sent right after the upload. */
  atOnce: number;
}

/** Peak memory of each process since its start, in MiB. */
export interface Peaks {
  contextWorker: number;
  /** The processes that extract text from documents. */
  readers: number[];
  ingress: number;
}

export interface DocumentFindings {
  /** The size of one PDF. */
  bytes: number;
  documents: DocumentTimes[];
  /** Milliseconds until the text was extracted, for each of several documents that were uploaded at the same time. */
  crowd: number[];
  peaks: { before: Peaks; afterEach: Peaks[]; afterCrowd: Peaks };
  /** Answers that lack the expected fact or a part of the context. */
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
  say(`${plan.crowd} documents at the same time`);
  const crowd = await measureCrowd(measuring);
  const peaks = { before, afterEach, afterCrowd: peaksOf(measuring) };
  return { bytes: longPdf(plan.pages, 0).bytes.length, documents, crowd, peaks, wrong };
}

/** Uses two documents: processing the one that is waited for must not help the one that is not. */
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
    throw new Error(`${what} of a document: not ready within ${timeoutMs / 1_000} s`);
}

async function rightAnswer(
  client: OpenAI,
  { question, answer }: LongPdf,
  file: AskedFile,
  wrong: string[],
): Promise<DocumentReply> {
  const reply = await askAboutDocument(client, question, file);
  if (!reply.text.includes(answer)) wrong.push(`an answer without the fact: ${reply.text.slice(0, 100)}`);
  if (reply.degraded !== null) wrong.push(`an answer was degraded: ${reply.degraded}`);
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
