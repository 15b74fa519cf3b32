import { describe, expect, test } from '@jest/globals';
import { type ResponseStreamEvent } from 'openai/resources/responses/responses';
import * as fc from 'fast-check';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { responseStatus } from '../../../shared/jobs/responses/response-status.ts';
import { type ResponseHead } from './response-body.ts';
import { projectResponse } from './response-events.ts';

const digits = '0123456789abcdef'.repeat(2);
const head: ResponseHead = { id: `resp_${digits}`, createdAt: 100, request: { model: 'm' } };
const inBackground: ResponseHead = { ...head, request: { model: 'm', background: true } };

const accepted: JobEvent = { type: 'accepted', at: 1, model: 'm' };
const routed: JobEvent = {
  type: 'routed',
  at: 2,
  path: 'litellm',
  reason: 'percentage',
  epoch: 0,
  step: 0,
  promptTokens: 3,
};
const attempt: JobEvent = { type: 'attempt', at: 3, attempt: 1, path: 'litellm' };
const opening = [accepted, routed, attempt];
const text = (delta: string): JobEvent => ({ type: 'text', choice: 0, delta });
const reasoning = (delta: string): JobEvent => ({ type: 'reasoning', choice: 0, delta });
const refusal = (delta: string): JobEvent => ({ type: 'refusal', choice: 0, delta });
const call = (index: number, args: string, more: object = {}): JobEvent => ({
  type: 'tool_call',
  choice: 0,
  index,
  arguments: args,
  ...more,
});
const end = (reason: string): JobEvent => ({ type: 'choice_end', choice: 0, reason });
const usage: JobEvent = {
  type: 'usage',
  attempt: 1,
  call: 1,
  source: 'reported',
  usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 },
};
const completed: JobEvent = { type: 'completed', at: 5_000 };

function eventsOf(log: readonly JobEvent[], of: ResponseHead = head): ResponseStreamEvent[] {
  const projection = projectResponse(of);
  return log.flatMap((event) => projection.take(event));
}

function bodyOf(log: readonly JobEvent[], of: ResponseHead = head) {
  const projection = projectResponse(of);
  for (const event of log) projection.take(event);
  return projection.body();
}

const typesOf = (log: readonly JobEvent[], of?: ResponseHead) => eventsOf(log, of).map(({ type }) => type);

describe("OpenAI's order of events", () => {
  test('for a text', () => {
    expect(typesOf([...opening, text('Hel'), text('lo'), end('stop'), usage, completed])).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
  });

  test('for a background response: it is queued first', () => {
    expect(typesOf(opening, inBackground)).toEqual([
      'response.created',
      'response.queued',
      'response.in_progress',
    ]);
  });

  test('for reasoning before the answer', () => {
    expect(typesOf([...opening, reasoning('hm'), text('yes'), end('stop'), completed]).slice(2, 9)).toEqual([
      'response.output_item.added',
      'response.reasoning_summary_part.added',
      'response.reasoning_summary_text.delta',
      'response.reasoning_summary_text.done',
      'response.reasoning_summary_part.done',
      'response.output_item.done',
      'response.output_item.added',
    ]);
  });

  test('for two tool calls, one after the other', () => {
    const log = [
      ...opening,
      call(0, '', { id: 'c1', name: 'look' }),
      call(0, '{}'),
      call(1, '{"a":1}', { id: 'c2', name: 'go' }),
      end('tool_calls'),
      completed,
    ];
    expect(typesOf(log).slice(2)).toEqual([
      'response.output_item.added',
      'response.function_call_arguments.delta',
      'response.function_call_arguments.done',
      'response.output_item.done',
      'response.output_item.added',
      'response.function_call_arguments.delta',
      'response.function_call_arguments.done',
      'response.output_item.done',
      'response.completed',
    ]);
    expect(bodyOf(log).output).toEqual([
      {
        id: `fc_${digits}_0`,
        type: 'function_call',
        status: 'completed',
        call_id: 'c1',
        name: 'look',
        arguments: '{}',
      },
      {
        id: `fc_${digits}_1`,
        type: 'function_call',
        status: 'completed',
        call_id: 'c2',
        name: 'go',
        arguments: '{"a":1}',
      },
    ]);
  });

  test('for a refusal after a text: another part of the same message', () => {
    const events = eventsOf([...opening, text('Well'), refusal('no'), end('stop'), completed]);
    expect(events.map(({ type }) => type).slice(4, 9)).toEqual([
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.content_part.added',
      'response.refusal.delta',
    ]);
    expect(events[8]).toMatchObject({ output_index: 0, content_index: 1, delta: 'no' });
  });
});

describe('the events keep', () => {
  test('the arguments of a call that the provider returns to: its closing events are sent again in full', () => {
    const log = [
      ...opening,
      call(0, '{"a":', { id: 'c1', name: 'x' }),
      call(1, '{}', { id: 'c2', name: 'y' }),
      call(0, '1}'),
      end('tool_calls'),
      completed,
    ];
    const done = eventsOf(log).filter(({ type }) => type === 'response.function_call_arguments.done');
    expect(done.at(-1)).toMatchObject({ output_index: 0, arguments: '{"a":1}' });
    expect(done.at(-1)).not.toHaveProperty('name');
    expect(bodyOf(log).output[0]).toMatchObject({ arguments: '{"a":1}', status: 'completed' });
  });

  test('log probabilities, in each delta and in the complete text', () => {
    const token = { token: 'a', logprob: -1, bytes: null, top_logprobs: [{ token: 'b', logprob: -2 }] };
    const log: JobEvent[] = [
      ...opening,
      { type: 'text', choice: 0, delta: 'a', logprobs: { content: [token] } },
      end('stop'),
      completed,
    ];
    const inEvent = [{ token: 'a', logprob: -1, top_logprobs: [{ token: 'b', logprob: -2 }] }];
    const inPart = [
      { token: 'a', logprob: -1, bytes: [], top_logprobs: [{ token: 'b', logprob: -2, bytes: [] }] },
    ];
    expect(eventsOf(log)[4]).toHaveProperty('logprobs', inEvent);
    expect(eventsOf(log)[5]).toHaveProperty('logprobs', inEvent);
    expect(bodyOf(log).output[0]).toMatchObject({ content: [{ logprobs: inPart }] });
  });
});

describe('the end of a response', () => {
  const half = [...opening, text('half')];
  test.each([
    ['completed', [...half, end('stop'), completed], 'response.completed', 'completed', 'completed'],
    [
      'cut off at its limit',
      [...half, end('length'), completed],
      'response.incomplete',
      'incomplete',
      'incomplete',
    ],
    [
      'filtered',
      [...half, end('content_filter'), completed],
      'response.incomplete',
      'incomplete',
      'incomplete',
    ],
    [
      'cancelled',
      [...half, { type: 'cancelled', at: 9, by: 'client' }],
      'response.incomplete',
      'cancelled',
      'incomplete',
    ],
    [
      'failed',
      [...half, { type: 'failed', at: 9, error: { code: 'upstream_failed', message: 'It broke.' } }],
      'response.failed',
      'failed',
      'incomplete',
    ],
  ] as const)('%s', (_name, log, type, status, itemStatus) => {
    expect(typesOf(log).at(-1)).toBe(type);
    expect(bodyOf(log)).toMatchObject({ status, output: [{ status: itemStatus }] });
  });

  test("a failure has one of OpenAI's codes, and Turnout's code in its message", () => {
    const failed = (
      code: 'upstream_rate_limited' | 'context_length_exceeded' | 'attempt_lost',
    ): JobEvent => ({
      type: 'failed',
      at: 9,
      error: { code, message: 'So.' },
    });
    expect(bodyOf([...opening, failed('upstream_rate_limited')]).error).toEqual({
      code: 'rate_limit_exceeded',
      message: 'So. (upstream_rate_limited)',
    });
    expect(bodyOf([...opening, failed('context_length_exceeded')]).error?.code).toBe('invalid_prompt');
    expect(bodyOf([...opening, failed('attempt_lost')]).error?.code).toBe('server_error');
  });

  test('a job that ended before it started still has its first events', () => {
    expect(typesOf([{ type: 'cancelled', at: 1, by: 'client' }], inBackground)).toEqual([
      'response.created',
      'response.queued',
      'response.incomplete',
    ]);
  });

  test('the usage of all calls is summed', () => {
    expect(bodyOf([...half, usage, { ...usage, call: 2 }, end('stop'), completed]).usage).toMatchObject({
      input_tokens: 10,
      output_tokens: 14,
      total_tokens: 24,
    });
  });
});

describe('for any log', () => {
  const piece = fc.oneof(
    fc.string().map(text),
    fc.string().map(reasoning),
    fc.string().map(refusal),
    fc.tuple(fc.nat({ max: 3 }), fc.string()).map(([index, args]) => call(index, args, { id: `c${index}` })),
  );
  const anyLog = fc
    .tuple(fc.array(piece, { maxLength: 30 }), fc.constantFrom('stop', 'length'), fc.boolean())
    .map(([pieces, reason, whole]): JobEvent[] => [
      ...opening,
      ...pieces,
      ...(whole ? [end(reason), usage, completed] : [{ type: 'cancelled', at: 4, by: 'client' } as const]),
    ]);

  test('sequence numbers run from 0 without a gap, and a second read gives the same events', () => {
    fc.assert(
      fc.property(anyLog, (log) => {
        const events = eventsOf(log);
        expect(events.map(({ sequence_number: number }) => number)).toEqual(events.map((_event, at) => at));
        expect(eventsOf(log)).toEqual(events);
      }),
    );
  });

  test('the concatenated deltas equal the stored response', () => {
    fc.assert(
      fc.property(anyLog, (log) => {
        const { output } = bodyOf(log);
        const told = new Map<number, string>();
        for (const event of eventsOf(log))
          if ('delta' in event && 'output_index' in event)
            told.set(event.output_index, (told.get(event.output_index) ?? '') + (event.delta as string));
        output.forEach((item, at) => expect(told.get(at) ?? '').toBe(wordsOf(item)));
      }),
    );
  });

  test('the status always matches the log', () => {
    fc.assert(
      fc.property(anyLog, (log) => {
        const projection = projectResponse(inBackground);
        log.forEach((event, at) => {
          projection.take(event);
          expect(projection.body().status).toBe(responseStatus(log.slice(0, at + 1)));
        });
      }),
    );
  });
});

function wordsOf(item: ReturnType<typeof bodyOf>['output'][number]): string {
  if (item.type === 'function_call') return item.arguments;
  if (item.type === 'reasoning') return item.summary.map((part) => part.text).join('');
  if (item.type !== 'message') throw new Error(`unexpected item of type ${item.type}`);
  return item.content.map((part) => (part.type === 'refusal' ? part.refusal : part.text)).join('');
}
