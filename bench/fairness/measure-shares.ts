import { userHash } from '../../shared/platform/ids.ts';
import { outcome, type Outcome } from '../../shared/contracts/outcome.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { topicNames } from '../../shared/platform/kafka/topics.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { tokensOf } from '../../shared/jobs/scheduling/job-cost.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../../test/harness/env.ts';
import type { BenchSystem, MeasuredTurnout } from '../bench-system.ts';
import { allOf, keyOf, queueJob } from './calls.ts';
import { jainIndex } from './jain.ts';
import type { FAIRNESS_PLAN } from './plan.ts';
import { requestsOf, type TraceRequest } from './trace.ts';

export interface ShareFindings {
  /** Jain's index of the tokens of jobs that completed while every user had jobs waiting. */
  jain: number;
  /** The duration of that period in seconds. */
  seconds: number;
  users: { scale: number; jobs: number; tokens: number }[];
}

const POSTS_AT_ONCE = 16;
const TIMEOUT_MS = 300_000;
/** These users are different from those of the other measurement. */
const FIRST_USER = 10;

/** Users queue backlogs of requests of different sizes; all backlogs are queued at the same time. */
export async function measureShares(
  bench: Pick<BenchSystem, 'brokers'>,
  { target, prefix }: MeasuredTurnout,
  { scales, jobs, tokensPerSecond, seed }: typeof FAIRNESS_PLAN.share,
): Promise<ShareFindings> {
  const backlogs = scales.map((scale, at) => requestsOf(seed + at, Math.ceil(jobs / scale), scale));
  await Promise.all(
    backlogs.map((requests, at) =>
      allOf(requests, POSTS_AT_ONCE / 4, (request) =>
        queueJob({
          baseUrl: target.baseUrl,
          key: keyOf(target, FIRST_USER + at),
          text: textOf(request, tokensPerSecond),
        }),
      ),
    ),
  );
  const began = Date.now();
  const hashes = scales.map((_scale, at) =>
    userHash(testEnv().TURNOUT_SECRET, `bench-user-${FIRST_USER + at}`),
  );
  const total = backlogs.reduce((sum, { length }) => sum + length, 0);
  let ended: Outcome[] = [];
  const allEnded = async () => {
    ended = (await outcomesOf(bench.brokers, prefix)).filter((one) => hashes.includes(one.userHash));
    return ended.length >= total;
  };
  if (!(await until(allEnded, { timeoutMs: TIMEOUT_MS, everyMs: 3_000 })))
    throw new Error('not all jobs ended');
  const lastOf = (hash: string) =>
    Math.max(...ended.filter((one) => one.userHash === hash).map(({ at }) => at));
  const end = Math.min(...hashes.map(lastOf));
  const within = ended.filter(({ at }) => at > began && at <= end);
  const users = hashes.map((hash, at) => {
    const own = within.filter((one) => one.userHash === hash);
    const tokens = own.reduce((sum, one) => sum + tokensOf(one), 0);
    return { scale: scales[at] ?? 0, jobs: own.length, tokens };
  });
  return { jain: jainIndex(users.map(({ tokens }) => tokens)), seconds: (end - began) / 1_000, users };
}

function textOf({ promptTokens, answerTokens }: TraceRequest, tokensPerSecond: number): string {
  const words = 'line '.repeat(promptTokens);
  return `[[sim: ttft=50; tokens=${answerTokens}; tps=${tokensPerSecond}]] ${words}`;
}

async function outcomesOf(brokers: readonly string[], prefix: string): Promise<Outcome[]> {
  const kafka = createKafka({ brokers: [...brokers], clientId: 'fairness', log: silentLogger });
  const all = new Map<string, Outcome>();
  await kafka.readTopic({
    topic: topicNames(prefix).events,
    timeoutMs: 15_000,
    onBatch: ({ messages }) => {
      for (const { value } of messages) {
        const read = outcome.parse(JSON.parse(value ?? ''));
        all.set(read.id, read);
      }
      return Promise.resolve();
    },
  });
  return [...all.values()];
}
