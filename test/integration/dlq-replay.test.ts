import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { letterOfJob } from '../../shared/jobs/dead-letters.ts';
import { bullPrefix, LLM_QUEUE } from '../../shared/jobs/queues/names.ts';
import { jobKeys } from '../../shared/platform/redis/keys.ts';
import { until } from '../../stack/until.ts';
import { upstreamCalls } from '../e2e/support.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { jsonLinesOf } from '../harness/turnout-cli.ts';
import { type DlqSystem, openDlqSystem } from './dlq-system.ts';
import { jobMessage } from './job-message.ts';

/** Each run of the command line is a process that joins a consumer group. */
jest.setTimeout(60_000);

let system: DlqSystem;

describe('turnout dlq replay', () => {
  beforeEach(async () => {
    system = await openDlqSystem();
  });
  afterEach(() => system.close());

  test('sends a message again unchanged, and only once', async () => {
    const job = jobMessage();
    await system.admit(job);
    const value = JSON.stringify(job);
    const id = await system.publish(value, { offset: 3n, id: job.jobId });
    expect(await system.dlq('replay', id)).toMatchObject({ code: 0, out: `${id}  replayed\n` });
    const again = await system.dlq('replay', id);
    expect(again.code).toBe(0);
    expect(again.out).toMatch(/already replayed \(20.*\)/);
    expect((await system.dlq('replay', '--all')).out).toMatch(/already replayed/);
    const { headers, key } = system.messageOf(value, job.jobId);
    const [message, ...more] = await system.published();
    expect(more).toEqual([]);
    expect(message).toMatchObject({ key, value });
    expect(message?.headers).toEqual({ ...headers, ce_time: expect.any(String) });
    expect(jsonLinesOf(await system.dlq('list', '--json'))).toMatchObject([
      { replayedAt: expect.any(String) },
    ]);
  });

  test('reports why it cannot send a message again, and sends the others', async () => {
    const [ended, waiting, late] = [jobMessage(), jobMessage(), jobMessage({ deadlineAt: Date.now() - 1 })];
    await Promise.all([system.admit(ended), system.admit(waiting)]);
    await system.jobLog.refuse(ended.jobId);
    const ids = [
      await system.publish(JSON.stringify(ended), { offset: 0n }),
      await system.publish(JSON.stringify(late), { offset: 1n }),
      await system.publish('{', { offset: 2n }),
      await system.publish(JSON.stringify(waiting), { offset: 3n }),
    ];
    const poison = { queue: 'llm', jobId: 'job_p', user: 'u', data: {}, reason: 'poison_job' };
    await system.lettersOf('llm-worker').publish(letterOfJob(poison));

    const result = await system.dlq('replay', '--all', '--json');
    expect(result).toMatchObject({ code: 1, err: '4 of 5 were not replayed.\n' });
    expect(jsonLinesOf(result)).toEqual([
      { id: ids[0], result: 'not replayable', why: 'the job has ended (refused)' },
      { id: ids[1], result: 'not replayable', why: expect.stringMatching(/^the job's deadline passed at /) },
      {
        id: ids[2],
        result: 'not replayable',
        why: expect.stringMatching(/cannot read the message: .* JSON/),
      },
      { id: ids[3], result: 'replayed' },
      { id: 'bullmq/llm/job_p', result: 'not replayable', why: expect.stringMatching(/inspection/) },
    ]);
    expect(await system.published()).toHaveLength(1);
    const forced = await system.dlq('replay', '--force', ids[2] ?? '');
    expect(forced).toMatchObject({ code: 0, out: `${ids[2]}  replayed\n` });
    expect((await system.published()).map(({ value }) => value)).toEqual([JSON.stringify(waiting), '{']);
  });
});

describe('with the services', () => {
  let services: RunningServices | undefined;

  beforeAll(async () => {
    system = await openDlqSystem();
    const { prefix } = system;
    services = await startServices({ prefix, only: ['router', 'llm-worker'], env: { JOB_PARTITIONS: '1' } });
  }, 60_000);
  afterAll(async () => {
    await services?.stop();
    await system.close();
  });

  const letterOf = async (jobId: string) => {
    const listed: Record<string, unknown>[] = [];
    const found = await until(
      async () => {
        listed.splice(0, Infinity, ...jsonLinesOf(await system.dlq('list', '--json')));
        return listed.some(({ originalId }) => originalId === jobId);
      },
      { timeoutMs: 30_000 },
    );
    if (!found) throw new Error(`${jobId} has no dead letter: ${JSON.stringify(listed)}`);
    return listed.find(({ originalId }) => originalId === jobId) ?? {};
  };
  const stateOf = async (jobId: string) => (await system.jobLog.read(jobId, 0))?.state;

  test('a job whose record was lost runs once when it is replayed, however often that happens', async () => {
    // No idempotency key and no stored response leads to its answer; otherwise the router would have recreated the record.
    const job = jobMessage({ duties: ['notify'], original: '{"kind":"x"}' });
    await system.producer.send(system.messageOf(JSON.stringify(job), job.jobId));
    const { id, reason } = await letterOf(job.jobId);
    expect(reason).toMatch(/no record/);

    expect(await system.dlq('replay', String(id))).toMatchObject({
      code: 0,
      out: `${String(id)}  replayed\n`,
    });
    expect(await until(async () => (await stateOf(job.jobId)) === 'completed', { timeoutMs: 20_000 })).toBe(
      true,
    );
    const record = jobKeys(system.prefix).record(job.jobId);
    expect(await system.redis.hmget(record, 'hash', 'duties', 'original')).toEqual([
      '',
      'notify',
      '{"kind":"x"}',
    ]);

    // As if the command had died before it marked the letter as replayed.
    await system.redis.del(jobKeys(system.prefix).replayed(String(id)));
    const again = await system.dlq('replay', String(id));
    expect(again.code).toBe(1);
    expect(again.out).toMatch(/not replayable: the job has ended \(completed, 20/);
    expect(await upstreamCalls(job.jobId)).toHaveLength(1);
  });

  test('a job that BullMQ gives up becomes a dead letter unchanged, and is ended', async () => {
    const job = jobMessage();
    await system.admit(job);
    const queue = new Queue(LLM_QUEUE, { connection: system.redis, prefix: bullPrefix(system.prefix) });
    await queue.add('llm', { version: 'broken' }, { jobId: job.jobId });
    const { id, reason } = await letterOf(job.jobId);
    expect(id).toBe(`bullmq/llm/${job.jobId}`);
    expect(reason).toMatch(/^poison_job: BullMQ failed the job: /);
    expect(JSON.parse((await system.dlq('show', String(id), '--json')).out)).toMatchObject({
      payload: '{"version":"broken"}',
    });
    expect(await until(async () => (await stateOf(job.jobId)) === 'failed', { timeoutMs: 20_000 })).toBe(
      true,
    );
    await queue.close();
  });

  test('a message that has failed as unreadable cannot be replayed, and the output says so', async () => {
    const job = jobMessage();
    await system.admit(job);
    await system.producer.send(system.messageOf('{"version": 2}', job.jobId));
    const { id } = await letterOf(job.jobId);
    expect(await until(async () => (await stateOf(job.jobId)) === 'failed', { timeoutMs: 20_000 })).toBe(
      true,
    );
    const result = await system.dlq('replay', String(id));
    expect(result.code).toBe(1);
    expect(result.out).toMatch(/the job has ended \(failed, unreadable_message, 20/);
  });
});
