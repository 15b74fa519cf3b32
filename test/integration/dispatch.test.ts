import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Worker } from 'bullmq';
import { randomBytes } from 'node:crypto';
import { type ContextJob, contextJob, type PieceRequest } from '../../shared/contracts/flow.ts';
import { newJobId } from '../../shared/platform/ids.ts';
import { type Document } from '../../shared/contracts/job-message.ts';
import { createFlowDispatch, type DecidedJob, type FlowDispatch } from '../../shared/jobs/queues/dispatch.ts';
import {
  bullPrefix,
  CONTEXT_QUEUE,
  DOCUMENT_QUEUE,
  LLM_QUEUE,
  SOURCE_QUEUE,
} from '../../shared/jobs/queues/names.ts';
import { connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

const REDIS_PREFIX = `t-${randomBytes(4).toString('hex')}`;
let redis: Redis;
let dispatch: FlowDispatch;

beforeAll(() => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'dispatch-test', silentLogger);
  dispatch = createFlowDispatch(redis, REDIS_PREFIX, 60_000);
});

afterAll(async () => {
  await dispatch.close();
  await removeKeys(redis, `${REDIS_PREFIX}:*`);
  await redis.quit();
});

const blob = { kind: 'blob', name: 'jobs/x/document-0', sha256: '0'.repeat(64), bytes: 1 } as const;
const pdf: Document['content'] = { kind: 'raw', format: 'pdf', blob };
const text: Document['content'] = { kind: 'inline', text: 'Words' };

const remote: PieceRequest = {
  kind: 'remote',
  piece: 'source-wiki',
  source: 'wiki',
  budget: 100,
  shareMs: 1_000,
};

function pieceOf(content: Document['content'], index: number, user: string): PieceRequest {
  const document = { index, name: `${user} ${index}`, mediaType: 'text/plain', content };
  return { kind: 'document', piece: `document-${index}`, document, budget: 100, shareMs: 1_000 };
}

const documentsOf = (user: string, contents: Document['content'][]) =>
  contents.map((content, index) => [pieceOf(content, index, user)]);

/** A job with one child for each list of pieces. */
function jobOf(user: string, children: PieceRequest[][]): DecidedJob {
  const common = {
    version: 2,
    jobId: newJobId('', user),
    user,
    groups: [],
    deadlineAt: Date.now() + 60_000,
  } as const;
  const context = children.map((pieces): ContextJob => ({
    ...common,
    question: '',
    routedAt: Date.now(),
    pieces,
  }));
  const decision = { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 } as const;
  const messages = [{ role: 'user' as const, content: 'x' }];
  const request = { kind: 'inline' as const, request: { model: 'm', messages } };
  const who = { userHash: 'h', model: 'm', acceptedAt: Date.now(), decision };
  const expected = children.flat().map(({ piece }) => ({ piece, required: true }));
  const schedule = { priority: 'interactive', cost: 1, weight: 1 } as const;
  return { llm: { ...common, ...who, request, context: expected }, context, schedule };
}

function namesOf({ pieces }: ContextJob): string {
  return pieces.map((piece) => (piece.kind === 'document' ? piece.document.name : piece.piece)).join(' and ');
}

/** Takes the waiting nodes of a queue one after another, and returns their names. */
async function taken(queue: string, count: number): Promise<string[]> {
  const names: string[] = [];
  const worker = new Worker(
    queue,
    (job) => Promise.resolve(void names.push(namesOf(contextJob.parse(job.data)))),
    { connection: redis, prefix: bullPrefix(REDIS_PREFIX), concurrency: 1 },
  );
  await until(() => names.length >= count, { timeoutMs: 20_000, everyMs: 10 });
  await worker.close();
  return names;
}

test('many documents of one request that need parsing delay neither texts nor the first documents of other requests', async () => {
  await dispatch.dispatch([jobOf('greedy', documentsOf('greedy', [pdf, pdf, pdf, text]))]);
  await dispatch.dispatch([jobOf('modest', documentsOf('modest', [pdf, text]))]);
  expect(await taken(CONTEXT_QUEUE, 2)).toEqual(['greedy 3', 'modest 1']);
  expect(await taken(DOCUMENT_QUEUE, 4)).toEqual(['greedy 0', 'modest 0', 'greedy 1', 'greedy 2']);
}, 60_000);

test('the documents of many jobs of one user wait behind the first document of another user', async () => {
  for (let count = 0; count < 4; count += 1)
    await dispatch.dispatch([jobOf('flood', documentsOf('flood', [pdf]))]);
  await dispatch.dispatch([jobOf('single', documentsOf('single', [pdf]))]);
  const others = ['flood 0', 'flood 0', 'flood 0'];
  expect(await taken(DOCUMENT_QUEUE, 5)).toEqual(['flood 0', 'single 0', ...others]);
}, 60_000);

test('a dispatched job is known before and after it begins; an unknown job is not', async () => {
  const job = jobOf('known', documentsOf('known', [text]));
  expect(await dispatch.has(job.llm.jobId)).toBe(false);
  await dispatch.dispatch([job]);
  expect(await dispatch.has(job.llm.jobId)).toBe(true);
  expect(await taken(CONTEXT_QUEUE, 1)).toEqual(['known 0']);
  expect(await dispatch.has(job.llm.jobId)).toBe(true);
}, 60_000);

test('pieces that need other services wait in a separate queue, with the pieces in the same child', async () => {
  const words = pieceOf(text, 0, 'both');
  await dispatch.dispatch([jobOf('apart', [[remote], [words]]), jobOf('together', [[words, remote]])]);
  expect(await taken(SOURCE_QUEUE, 2)).toEqual(['source-wiki', 'both 0 and source-wiki']);
  expect(await taken(CONTEXT_QUEUE, 1)).toEqual(['both 0']);
  await dispatch.dispatch([jobOf('parsed', [[remote, pieceOf(pdf, 0, 'parsed'), words]])]);
  expect(await taken(DOCUMENT_QUEUE, 1)).toEqual(['source-wiki and parsed 0 and both 0']);
}, 60_000);

const llmKey = (rest: string) => `${bullPrefix(REDIS_PREFIX)}:${LLM_QUEUE}:${rest}`;
const stateOf = async ({ llm }: DecidedJob) => (await dispatch.states([llm.jobId]))[0];

/** Runs the model queue until BullMQ has this job in the given state. */
async function runUntil(state: 'completed' | 'failed', job: DecidedJob): Promise<void> {
  const work = () => (state === 'failed' ? Promise.reject(new Error('a bug')) : Promise.resolve());
  const worker = new Worker(LLM_QUEUE, work, { connection: redis, prefix: bullPrefix(REDIS_PREFIX) });
  expect(await until(async () => (await stateOf(job)) === state, { timeoutMs: 20_000, everyMs: 10 })).toBe(
    true,
  );
  await worker.close();
}

describe('a dispatch after', () => {
  test('SCRIPT FLUSH adds every node', async () => {
    await dispatch.dispatch([jobOf('before', documentsOf('before', [text]))]);
    await redis.script('FLUSH', 'SYNC');
    const [plain, child] = [jobOf('plain', []), jobOf('child', documentsOf('child', [text]))];
    await dispatch.dispatch([plain, child]);
    expect(await dispatch.states([plain.llm.jobId, child.llm.jobId])).toEqual(['queued', 'queued']);
    expect(await taken(CONTEXT_QUEUE, 2)).toEqual(['before 0', 'child 0']);
  }, 60_000);

  test('a node that Redis refuses fails, leaves nothing behind, and succeeds on retry', async () => {
    const job = jobOf('refused', documentsOf('refused', [text, pdf]));
    const documents = `${bullPrefix(REDIS_PREFIX)}:${DOCUMENT_QUEUE}:prioritized`;
    await redis.set(documents, 'not a sorted set');
    await expect(dispatch.dispatch([job])).rejects.toThrow('WRONGTYPE');
    expect(await stateOf(job)).toBe('gone');
    await redis.del(documents);
    await dispatch.dispatch([job]);
    expect(await stateOf(job)).toBe('queued');
    expect(await taken(CONTEXT_QUEUE, 1)).toEqual(['refused 0']);
    expect(await taken(DOCUMENT_QUEUE, 1)).toEqual(['refused 1']);
  }, 60_000);

  test.each(['completed', 'failed', 'queued'] as const)(
    'an earlier job with the same id that is %s in BullMQ runs the new job, with its own context',
    async (state) => {
      const earlier = jobOf(`earlier ${state}`, []);
      await dispatch.dispatch([earlier]);
      if (state !== 'queued') await runUntil(state, earlier);
      const later = jobOf(`later ${state}`, documentsOf(`later ${state}`, [text]));
      const { jobId } = earlier.llm;
      const again = {
        ...later,
        llm: { ...later.llm, jobId, acceptedAt: earlier.llm.acceptedAt + 1 },
        context: later.context.map((child) => ({ ...child, jobId })),
      };
      expect(await dispatch.has(jobId)).toBe(state !== 'completed');
      await dispatch.dispatch([again]);
      expect(await stateOf(again)).toBe('queued');
      const data = await redis.hget(llmKey(jobId), 'data');
      expect(JSON.parse(data ?? '{}')).toMatchObject({ acceptedAt: again.llm.acceptedAt });
      expect(await taken(CONTEXT_QUEUE, 1)).toEqual([`later ${state} 0`]);
    },
    60_000,
  );

  test('its own node completed without the job’s end runs it again; a failed node is kept', async () => {
    const [completed, failed] = [jobOf('completed', []), jobOf('failed', [])];
    await dispatch.dispatch([completed]);
    await runUntil('completed', completed);
    await dispatch.dispatch([failed]);
    await runUntil('failed', failed);
    expect(await dispatch.has(completed.llm.jobId)).toBe(false);
    expect(await dispatch.has(failed.llm.jobId)).toBe(true);
    await dispatch.dispatch([completed, failed]);
    expect([await stateOf(completed), await stateOf(failed)]).toEqual(['queued', 'failed']);
  }, 60_000);

  test('its node was lost, in part or completely, adds it again', async () => {
    const [unlisted, childless, gone] = [
      jobOf('unlisted', []),
      jobOf('childless', documentsOf('childless', [text])),
      jobOf('gone', documentsOf('gone', [text])),
    ];
    await dispatch.dispatch([unlisted, childless, gone]);
    await redis.lrem(llmKey('wait'), 0, unlisted.llm.jobId);
    const child = `${bullPrefix(REDIS_PREFIX)}:${CONTEXT_QUEUE}:${childless.llm.jobId}-document-0`;
    await redis.del(child);
    await redis.del(llmKey(gone.llm.jobId));
    await redis.zrem(llmKey('waiting-children'), gone.llm.jobId);
    const ids = [unlisted, childless, gone].map(({ llm }) => llm.jobId);
    expect(await dispatch.states(ids)).toEqual(['lost', 'lost', 'gone']);
    for (const id of ids) expect(await dispatch.has(id)).toBe(false);
    await dispatch.dispatch([unlisted, childless, gone]);
    expect(await dispatch.states(ids)).toEqual(['queued', 'queued', 'queued']);
    expect((await taken(CONTEXT_QUEUE, 2)).sort()).toEqual(['childless 0', 'gone 0']);
  }, 60_000);
});

test('hundreds of jobs with many children are added in several transactions, each of them once', async () => {
  const many = Array.from({ length: 8 }, (_, at) =>
    jobOf(
      `many ${at}`,
      Array.from({ length: 100 }, () => text).map((content, index) => [
        pieceOf(content, index, `many ${at}`),
      ]),
    ),
  );
  await Promise.all([dispatch.dispatch(many), dispatch.dispatch(many)]);
  expect(await dispatch.states(many.map(({ llm }) => llm.jobId))).toEqual(many.map(() => 'queued'));
  expect(new Set(await taken(CONTEXT_QUEUE, 800)).size).toBe(800);
}, 60_000);
