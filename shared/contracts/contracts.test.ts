import { describe, expect, test } from '@jest/globals';
import { type z } from 'zod';
import { chatRequest, textOf } from './chat-request.ts';
import { childTraceparent, toHeaders } from './cloud-event.ts';
import { decision as decisionSchema } from './decision.ts';
import { contextJob, contextPiece, llmJob } from './flow.ts';
import { jobId, newJobId, userHash } from '../platform/ids.ts';
import { isTerminal, isVisible, jobEvent, writtenEvent } from './job-event.ts';
import { jobMessage } from './job-message.ts';
import { TurnoutError } from '../platform/errors/turnout-error.ts';
import { outcome } from './outcome.ts';
import { laterVersion } from './tolerant.ts';

const id = `job_${'0123456789abcdef'.repeat(2)}`;
const request = { model: 'gpt', messages: [{ role: 'user', content: 'Hello' }] };
const blob = { kind: 'blob', name: 'jobs/x/request', sha256: 'a'.repeat(64), bytes: 300_000 };
const decision = { path: 'litellm', reason: 'percentage', epoch: 3, step: 0 };
const document = {
  index: 0,
  name: 'a.md',
  mediaType: 'text/markdown',
  content: { kind: 'inline', text: 'x' },
};
const tokens = {
  prompt_tokens: 1,
  completion_tokens: 2,
  total_tokens: 3,
  completion_tokens_details: { reasoning_tokens: 1 },
};

const message = {
  version: 1,
  jobId: id,
  user: 'user-1',
  userHash: 'abc',
  model: 'gpt',
  question: 'Hello',
  request: { kind: 'inline', request },
  documents: [document, { ...document, index: 1, content: blob }],
  acceptedAt: 1,
  deadlineAt: 2,
};
const llm = {
  version: 2,
  jobId: id,
  deadlineAt: 2,
  groups: ['staff'],
  user: 'u',
  userHash: 'h',
  model: 'm',
  acceptedAt: 1,
  decision,
  request: blob,
  context: [{ piece: 'document-0', required: true }],
  assistant: { name: 'law', version: '1', instructions: 'Speak of law.' },
};
const context = {
  version: 2,
  jobId: id,
  deadlineAt: 2,
  groups: ['staff'],
  user: 'u',
  question: '',
  routedAt: 1,
  pieces: [
    { kind: 'document', piece: 'document-0', document, budget: 100, shareMs: 50 },
    { kind: 'history', piece: 'history', model: 'm', beside: 0, request: blob, shareMs: 50 },
    { kind: 'remote', piece: 'source-wiki', source: 'wiki', budget: 100, shareMs: 50 },
  ],
};
const piece = {
  status: 'ready',
  kind: 'passages',
  piece: 'document-0',
  name: 'a.md',
  fileId: 'file-1',
  passages: [{ text: 'x', position: 0, score: 1.5 }],
  leftOut: 0,
  ms: 1.5,
};
const ended = {
  version: 1,
  id: `${id}.end`,
  jobId: id,
  userHash: 'abc',
  model: 'gpt',
  decision,
  status: 'failed',
  error: 'upstream_cut',
  attempts: 2,
  at: 5,
  ms: { total: 12.5, firstToken: 3 },
  usage: [{ id: 'call', source: 'estimated', tokens, cost: 0.001 }],
};

describe('a reader gets exactly what was sent', () => {
  const contracts: [name: string, schema: z.ZodType, value: unknown][] = [
    ['a job message', jobMessage, message],
    ['a job message with its request in the blob store', jobMessage, { ...message, request: blob }],
    ['an llm job', llmJob, llm],
    ['a context job', contextJob, { ...context, traceparent: childTraceparent(undefined) }],
    ['a context piece', contextPiece, piece],
    [
      'a history',
      contextPiece,
      { status: 'ready', kind: 'history', piece: 'history', keep: [0, 2], leftOut: 1, ms: 1 },
    ],
    [
      'a context piece that failed',
      contextPiece,
      { status: 'failed', piece: 'p', code: 'source_failed', message: 'm', ms: 1 },
    ],
    ['an outcome', outcome, ended],
    [
      'a chat request with parameters that only the provider knows',
      chatRequest,
      { ...request, top_k: 40, messages: [{ ...request.messages[0], cache_control: {} }] },
    ],
  ];

  test.each(contracts)('%s', (_name, schema, value) => {
    expect(schema.parse(JSON.parse(JSON.stringify(value)))).toEqual(value);
  });
});

test('a decision of an older release, without a percentage, can be read', () => {
  const before = { path: 'litellm', reason: 'default', epoch: 0 };
  expect(decisionSchema.parse(before)).toEqual({ ...before, reason: 'percentage', step: 0 });
});

describe('events of a job log', () => {
  const at = 1;
  const choice = 0;
  const visible = [
    { type: 'reasoning', choice, delta: 'hm' },
    { type: 'text', choice, delta: 'hi', logprobs: [{ token: 'hi' }] },
    { type: 'refusal', choice, delta: 'no' },
    { type: 'tool_call', choice, index: 0, id: 'call_1', name: 'look', arguments: '{"a":' },
    {
      type: 'citation',
      choice,
      start: 0,
      end: 5,
      source: 'document-0',
      position: 1,
      name: 'a.md',
      fileId: 'file-1',
    },
    { type: 'choice_end', choice, reason: 'stop' },
  ];
  const terminal = [
    { type: 'completed', at },
    { type: 'failed', at, error: { code: 'upstream_failed', message: 'x' } },
    { type: 'cancelled', at, by: 'client' },
  ];
  const others = [
    { type: 'accepted', at, model: 'gpt' },
    { type: 'routed', at, ...decision, promptTokens: 12 },
    { type: 'context', source: 'a.md', passages: 1, leftOut: 0, ms: 1 },
    { type: 'degraded', source: 'source-wiki', code: 'source_timeout', ms: 2_000 },
    {
      type: 'assistant',
      name: 'law',
      version: '1',
      model: 'gpt',
      reason: 'similarity',
      scores: [{ name: 'law', score: 0.7 }],
    },
    { type: 'attempt', at, attempt: 1, path: 'legacy' },
    { type: 'usage', attempt: 1, call: 1, source: 'reported', usage: tokens },
  ];
  const all = [...visible, ...terminal, ...others];

  test.each(all.map((event) => [event.type, event] as const))('%s is read as sent', (_type, event) => {
    expect(jobEvent.parse(JSON.parse(JSON.stringify(event)))).toEqual(event);
  });

  test('are visible, terminal or neither', () => {
    const events = all.map((event) => jobEvent.parse(event));
    expect(events.filter(isVisible).map(({ type }) => type)).toEqual(visible.map(({ type }) => type));
    expect(events.filter(isTerminal).map(({ type }) => type)).toEqual(terminal.map(({ type }) => type));
  });
});

describe('schemas reject', () => {
  const refused: [name: string, schema: z.ZodType, value: unknown, path: string][] = [
    ['a message of another version', jobMessage, { ...message, version: 2 }, 'version'],
    ['a job without a user', jobMessage, { ...message, user: '' }, 'user'],
    [
      'a blob with an invalid hash',
      jobMessage,
      { ...message, request: { ...blob, sha256: 'zz' } },
      'request.sha256',
    ],
    ['a job id with a colon', jobMessage, { ...message, jobId: 'job_:' }, 'jobId'],
    ['an unknown backend', llmJob, { ...llm, decision: { ...decision, path: 'scenic' } }, 'decision.path'],
    [
      'a reason that is not a lower-case word',
      llmJob,
      { ...llm, decision: { ...decision, reason: 'A mood' } },
      'decision.reason',
    ],
    [
      'a context job without a budget',
      contextJob,
      { ...context, pieces: [{ ...context.pieces[0], budget: 0 }] },
      'pieces.0.budget',
    ],
    ['an error code that is not a lower-case word', outcome, { ...ended, error: 'Oops!' }, 'error'],
    ['half an attempt', outcome, { ...ended, attempts: 0.5 }, 'attempts'],
    ['negative time', outcome, { ...ended, ms: { total: -1 } }, 'ms.total'],
    ['an event without a type', jobEvent, { at: 1 }, ''],
    ['a known event without its text', jobEvent, { type: 'text', choice: 0 }, ''],
    ['a request without messages', chatRequest, { ...request, messages: [] }, 'messages'],
    [
      'an unknown role',
      chatRequest,
      { ...request, messages: [{ role: 'ghost', content: 'boo' }] },
      'messages.0.role',
    ],
    ['a temperature above the maximum', chatRequest, { ...request, temperature: 3 }, 'temperature'],
    [
      'a tool with a bad name',
      chatRequest,
      { ...request, tools: [{ type: 'function', function: { name: 'a b' } }] },
      'tools.0.function.name',
    ],
    ['too many choices', chatRequest, { ...request, n: 17 }, 'n'],
  ];

  test.each(refused)('%s, and name the field at fault', (_name, schema, value, path) => {
    const result = schema.safeParse(value);
    expect(result.error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  });
});

describe('data of a later minor version is kept and never fails the reader', () => {
  test('an event of an unknown type is skipped, and copied unchanged', () => {
    const written = { type: 'audio', at: 1, choice: 0, delta: 'AAAA' };
    const event = jobEvent.parse(written);
    expect([event.type, isVisible(event), isTerminal(event)]).toEqual(['later', false, false]);
    expect(writtenEvent(event)).toEqual(written);
  });

  test('a known event keeps its unknown fields', () => {
    const event = { type: 'text', choice: 0, delta: 'hi', language: 'en' };
    expect(writtenEvent(jobEvent.parse(event))).toEqual(event);
  });

  test('an unknown error code keeps the status, type and retryability that its writer stored', () => {
    const error = {
      code: 'content_policy',
      message: 'No.',
      status: 451,
      type: 'policy_error',
      retryable: false,
    };
    const event = jobEvent.parse({ type: 'failed', at: 1, error });
    if (event.type !== 'failed') throw new Error('not failed');
    const { code, message, ...written } = event.error;
    expect(new TurnoutError(code, { message, written })).toMatchObject(error);
    expect(new TurnoutError(code)).toMatchObject({ status: 500, retryable: true });
  });

  test.each([
    [
      'an outcome with an unknown error',
      outcome,
      { ...ended, error: 'content_policy' },
      { error: 'content_policy' },
    ],
    ['an outcome with an unknown status', outcome, { ...ended, status: 'expired' }, { status: 'failed' }],
    [
      'an outcome with an unknown backend',
      outcome,
      { ...ended, decision: { ...decision, path: 'direct' } },
      { usage: ended.usage, decision: undefined },
    ],
    [
      'an outcome of a minor version',
      outcome,
      { ...ended, version: 1.2, colour: 'red' },
      { usage: ended.usage },
    ],
    [
      'usage of an unknown source',
      outcome,
      { ...ended, usage: [{ ...ended.usage[0], source: 'audited' }] },
      { usage: [{ source: 'estimated', tokens }] },
    ],
    ['a message of a minor version', jobMessage, { ...message, version: 1.1, colour: 'red' }, { jobId: id }],
    [
      'a message with an unknown priority',
      jobMessage,
      { ...message, priority: 'urgent' },
      { priority: 'background' },
    ],
    [
      'a message with an unknown completion hook',
      jobMessage,
      { ...message, duties: ['archive'] },
      { duties: ['archive'] },
    ],
    ['a flow of a minor version', llmJob, { ...llm, version: 2.3, colour: 'red' }, { jobId: id }],
    [
      'an unknown reason',
      llmJob,
      { ...llm, decision: { ...decision, reason: 'mood' } },
      { decision: { reason: 'mood' } },
    ],
    [
      'a piece with an unknown error code',
      contextPiece,
      { status: 'failed', piece: 'p', code: 'source_banned', message: 'm', ms: 1 },
      { code: 'source_banned' },
    ],
  ] satisfies [string, z.ZodType, unknown, object][])('%s', (_name, schema, value, read) => {
    expect(schema.parse(value)).toMatchObject(read);
  });

  test.each([
    ['of the next major version', { version: 3 }, 3],
    ['of a minor version', { version: 2.9 }, undefined],
    ['without a version', {}, undefined],
    ['that is not an object', 'x', undefined],
  ])('laterVersion of data %s', (_name, data, later) => expect(laterVersion(data, 2)).toBe(later));
});

describe('the text of a message', () => {
  test.each([
    ['a string', 'hi', 'hi'],
    [
      'the text parts',
      [
        { type: 'text', text: 'a' },
        { type: 'image_url', image_url: { url: 'x' } },
        { type: 'text', text: 'b' },
      ],
      'a\nb',
    ],
  ])('is %s', (_name, content, text) => {
    const { messages } = chatRequest.parse({ ...request, messages: [{ role: 'user', content }] });
    expect(textOf(messages[0]?.content)).toBe(text);
  });

  test.each([null, undefined])('is empty for %p', (content) => expect(textOf(content)).toBe(''));
});

describe('ids', () => {
  test('are random without an idempotency key', () => {
    expect(newJobId('s', 'u')).not.toBe(newJobId('s', 'u'));
    expect(jobId.safeParse(newJobId('s', 'u')).success).toBe(true);
  });

  test('are equal only for the same secret, user and key', () => {
    const made = newJobId('s', 'u', 'k');
    expect(jobId.safeParse(made).success).toBe(true);
    expect(newJobId('s', 'u', 'k')).toBe(made);
    for (const other of [newJobId('s', 'u', 'k2'), newJobId('s', 'u2', 'k'), newJobId('s2', 'u', 'k')]) {
      expect(other).not.toBe(made);
    }
  });

  test("a user's hash is hex: it neither reveals the user nor spells a word that the rollout guide counts in the logs", () => {
    expect(userHash('s', 'user-1')).toMatch(/^[0-9a-f]{16}$/);
    expect(userHash('s', 'user-1')).toBe(userHash('s', 'user-1'));
    expect(userHash('s2', 'user-1')).not.toBe(userHash('s', 'user-1'));
  });
});

describe('headers', () => {
  test('carry the CloudEvents attributes', () => {
    const headers = toHeaders({ id: 'e1', type: 'dev.turnout.job.v1', source: 'ingress' });
    expect(headers).toMatchObject({
      ce_specversion: '1.0',
      ce_id: 'e1',
      ce_type: 'dev.turnout.job.v1',
      ce_source: 'ingress',
    });
    expect(new Date(headers['ce_time'] ?? '').getTime()).toBeGreaterThan(0);
    expect(headers).not.toHaveProperty('traceparent');
  });

  test("continue the caller's trace with a new span", () => {
    const incoming = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';
    expect(childTraceparent(incoming)).toMatch(
      /^00-4bf92f3577b34da6a3ce929d0e0e4736-(?!00f067aa0ba902b7)[0-9a-f]{16}-00$/,
    );
  });

  test.each([
    undefined,
    '',
    'nonsense',
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`,
    '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
  ])('start a new trace if traceparent is %p', (incoming) => {
    const made = childTraceparent(incoming);
    expect(made).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(childTraceparent(incoming)).not.toBe(made);
  });
});
