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
    ['half a JSON answer that was read as it came', true, 'attempt_lost', 'kill llm-worker', true, json],
    ['a JSON answer that nobody had seen', false, 'attempt_lost', 'kill llm-worker', false, json],
    ['plain text', false, 'attempt_lost', 'kill llm-worker', true, {}],
    ['another error of a JSON answer', false, 'deadline_exceeded', 'kill llm-worker', true, json],
    ['no way to the model', true, 'upstream_unreachable', 'stop LiteLLM', true, {}],
    ['no way to the model, which was there', false, 'upstream_unreachable', 'kill router', true, {}],
  ])('of %s: by design %s', (_what, byDesign, code, ...rest) => {
    expect(failure(code, ...rest)).toEqual({ code, byDesign });
  });

  test('is none of a job that ended otherwise', () => {
    const testimony = { plan: { stream: true }, question: { body: {}, direct: true } } as Testimony;
    expect(failureOf('kill router', testimony, undefined)).toBeUndefined();
  });

  test('may happen to a few', () => {
    expect([30, 295].map(mostFailures)).toEqual([2, 6]);
  });
});
