import { describe, expect, test } from '@jest/globals';
import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { type JobView } from '../../../shared/jobs/joblog/job-log.ts';
import { type Testimony } from './client.ts';
import { failureOf, mostFailures } from './failures.ts';
import { type Kind } from './plan.ts';

const json = { response_format: { type: 'json_object' } };

function failure(code: ErrorCode, kind: Kind, stream: boolean, body: Record<string, unknown>) {
  const testimony = { plan: { stream }, question: { body, direct: true } } as Testimony;
  const event = { type: 'failed', at: 1, error: { code } };
  return failureOf(kind, testimony, { entries: [{ sequence: 1, event }] } as Pick<JobView, 'entries'>);
}

describe('a failure', () => {
  test.each<[string, boolean, ErrorCode, Kind, boolean, Record<string, unknown>]>([
    [
      'half a JSON answer that was streamed to its client',
      true,
      'attempt_lost',
      'kill llm-worker',
      true,
      json,
    ],
    ['a JSON answer of which nothing was sent', false, 'attempt_lost', 'kill llm-worker', false, json],
    ['plain text', false, 'attempt_lost', 'kill llm-worker', true, {}],
    ['a JSON answer with another error', false, 'deadline_exceeded', 'kill llm-worker', true, json],
    ['an unreachable model while LiteLLM is down', true, 'upstream_unreachable', 'stop LiteLLM', true, {}],
    ['an unreachable model while LiteLLM is up', false, 'upstream_unreachable', 'kill router', true, {}],
  ])('of %s: by design %s', (_what, byDesign, code, ...rest) => {
    expect(failure(code, ...rest)).toEqual({ code, byDesign });
  });

  test('is undefined for a job that ended otherwise', () => {
    const testimony = { plan: { stream: true }, question: { body: {}, direct: true } } as Testimony;
    expect(failureOf('kill router', testimony, undefined)).toBeUndefined();
  });

  test('is allowed for a small share of the jobs', () => {
    expect([30, 295].map(mostFailures)).toEqual([2, 6]);
  });
});
