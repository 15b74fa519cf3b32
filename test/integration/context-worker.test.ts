import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type Job, QueueEvents, Queue, Worker } from 'bullmq';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { buildContextWorker } from '../../services/context-worker/app.ts';
import { createDiskBlobStore } from '../../shared/platform/blobs/disk-blob-store.ts';
import { parseConfig } from '../../shared/platform/config/load.ts';
import { type ContextJob, type ContextPiece, type LlmJob } from '../../shared/contracts/flow.ts';
import { newFileId, newJobId } from '../../shared/platform/ids.ts';
import { type Document, type DocumentFormat } from '../../shared/contracts/job-message.ts';
import { createExtractQueue } from '../../services/ingress/files/extract-queue.ts';
import { createFileRegistry } from '../../shared/content/files/file-registry.ts';
import { contentName, textName } from '../../shared/content/files/stored-file.ts';
import { type Service } from '../../shared/platform/lifecycle/run-service.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { createFlowDispatch, type Dispatch } from '../../shared/jobs/queues/dispatch.ts';
import { bullPrefix, LLM_QUEUE } from '../../shared/jobs/queues/names.ts';
import { connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { fileKeys } from '../../shared/platform/redis/keys.ts';
import { docxOf, pdfBomb, pdfOf } from '../harness/documents.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

// Reading a document that unpacks to 2 GB takes some seconds on a busy machine.
jest.setTimeout(30_000);

const FACT = 'The night train to Ostheim leaves from platform 11.';
const REDIS_PREFIX = `t-${randomBytes(4).toString('hex')}`;

let folder: string;
let redis: Redis;
let service: Service;
let url: string;
let dispatch: Dispatch;
let parents: Worker;
let queue: Queue;
let events: QueueEvents;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'turnout-context-'));
  const env = testEnv();
  const config = parseConfig({ ...env, REDIS_PREFIX, BLOB_DIR: folder, PORT: '0', LOG_LEVEL: 'silent' });
  redis = connectRedisWaiting(config.REDIS_URL, 'test', silentLogger);
  service = buildContextWorker({ config, log: silentLogger });
  ({ url } = await service.start());
  dispatch = createFlowDispatch(redis, REDIS_PREFIX, 60_000);
  const options = { connection: redis, prefix: bullPrefix(REDIS_PREFIX) };
  queue = new Queue(LLM_QUEUE, options);
  events = new QueueEvents(LLM_QUEUE, options);
  await events.waitUntilReady();
  // Stands in for the llm-worker: returns what the job's children returned.
  parents = new Worker(
    LLM_QUEUE,
    async (job: Job) => Object.values(await job.getChildrenValues<ContextPiece[]>()).flat(),
    options,
  );
});

afterAll(async () => {
  await Promise.all([service.close(), parents.close(), dispatch.close(), events.close(), queue.close()]);
  await removeKeys(redis, `${REDIS_PREFIX}:*`);
  await redis.quit();
  await rm(folder, { recursive: true, force: true });
});

/** Runs a job with these documents through the queues. Resolves with the pieces that its parent received, ordered by name. */
async function piecesOf(contents: Document['content'][], deadlineMs = 60_000): Promise<ContextPiece[]> {
  const common = {
    version: 2,
    jobId: newJobId('', 'user'),
    user: 'user-1',
    groups: [],
    deadlineAt: Date.now() + deadlineMs,
  } as const;
  const context: ContextJob[] = contents.map((content, index) => ({
    ...common,
    question: 'From which platform does the night train to Ostheim leave?',
    routedAt: Date.now(),
    pieces: [
      {
        kind: 'document',
        piece: `document-${index}`,
        document: { index, name: `${index}.txt`, mediaType: 'text/plain', content },
        budget: 500,
        shareMs: 60_000,
      },
    ],
  }));
  const llm: LlmJob = {
    ...common,
    userHash: '0'.repeat(16),
    model: 'm',
    acceptedAt: Date.now(),
    decision: { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 },
    request: { kind: 'inline', request: { model: 'm', messages: [{ role: 'user', content: 'Hi' }] } },
    context: contents.map((_content, index) => ({ piece: `document-${index}`, required: true })),
  };
  await dispatch.dispatch([{ llm, context, schedule: { priority: 'interactive', cost: 1, weight: 1 } }]);
  const job = await queue.getJob(common.jobId);
  const pieces = (await job?.waitUntilFinished(events)) as ContextPiece[];
  return pieces.toSorted((a, b) => a.piece.localeCompare(b.piece));
}

describe('the context worker', () => {
  test('prepares several documents, inline and from the blob store, and their parent receives each piece', async () => {
    const large = `${'The line was quiet on that day. '.repeat(60_000)}\n\n${FACT}\n\n${'Nobody came. '.repeat(10_000)}`;
    const stored = await createDiskBlobStore(folder).put('jobs/1/document-1', large);
    const pieces = await piecesOf([{ kind: 'inline', text: FACT }, stored]);
    expect(pieces).toMatchObject([
      { status: 'ready', piece: 'document-0', passages: [{ text: FACT }], leftOut: 0 },
      { status: 'ready', piece: 'document-1' },
    ]);
    expect(JSON.stringify(pieces[1])).toContain(FACT);
  });

  test('returns a failed piece for a missing document, and the others succeed', async () => {
    const missing = { kind: 'blob', name: 'jobs/1/gone', sha256: '0'.repeat(64), bytes: 5 } as const;
    expect(await piecesOf([missing, { kind: 'inline', text: FACT }])).toMatchObject([
      { status: 'failed', piece: 'document-0', code: 'unreadable_message' },
      { status: 'ready', piece: 'document-1' },
    ]);
  });

  test('returns a failed piece for a hostile document, and the others are read', async () => {
    const blobs = createDiskBlobStore(folder);
    const raw = async (format: DocumentFormat, name: string, bytes: Buffer) =>
      ({ kind: 'raw', format, blob: await blobs.put(`jobs/2/${name}`, bytes) }) as const;
    const pieces = await piecesOf([
      await raw('pdf', 'bomb', pdfBomb(2_000)),
      await raw('pdf', 'pdf', pdfOf('Other lines.', FACT)),
      await raw('docx', 'docx', docxOf('Other lines.', FACT)),
      await raw('html', 'html', Buffer.from(`<p>Other lines.</p><p>${FACT}</p>`)),
    ]);
    expect(pieces).toMatchObject([
      { status: 'failed', code: 'unsupported_document', message: expect.stringMatching(/"0.txt".*memory/) },
      { status: 'ready' },
      { status: 'ready' },
      { status: 'ready' },
    ]);
    for (const piece of pieces.slice(1)) expect(JSON.stringify(piece)).toContain(FACT);
  });

  test('does not work on a job past its deadline', async () => {
    expect(await piecesOf([{ kind: 'inline', text: FACT }], -1)).toMatchObject([
      { status: 'failed', code: 'deadline_exceeded' },
    ]);
  });

  test('reads an uploaded file whose record appears later', async () => {
    const blobs = createDiskBlobStore(folder);
    const id = newFileId('user-1', Date.now());
    const content = await blobs.put(contentName(id), pdfOf(FACT));
    const reading = createExtractQueue({ connection: redis, redisPrefix: REDIS_PREFIX, log: silentLogger });
    await reading.add({ version: 1, fileId: id, format: 'pdf', content });
    while ((await blobs.load(textName(id))) === undefined) await turn();
    const keys = fileKeys(REDIS_PREFIX);
    const files = createFileRegistry({ redis, keys, maxFilesPerUser: 10, graceMs: 60_000 });
    const about = {
      filename: 'a.pdf',
      purpose: 'user_data',
      format: 'pdf',
      mediaType: 'application/pdf',
    } as const;
    await files.create({
      id,
      owner: 'user-1',
      ...about,
      createdAt: Date.now(),
      expiresAt: undefined,
      content,
    });
    let file = await files.find('user-1', id);
    while (file?.status === 'uploaded') file = await files.find('user-1', id);
    if (!file?.text) throw new Error('The file was not read');
    expect((await blobs.get(file.text)).toString()).toBe(FACT);
    await reading.close();
  });

  test('reports that it is ready, and counts its pieces', async () => {
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(
      /turnout_context_piece_seconds_count\{service="context-worker",status="ready"\} [1-9]/,
    );
  });
});
