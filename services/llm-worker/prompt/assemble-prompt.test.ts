import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type ChatRequest, chatRequest, textOf } from '../../../shared/contracts/chat-request.ts';
import { type PassagesPiece } from '../../../shared/contracts/flow.ts';
import { assemblePrompt, type PromptParts } from './assemble-prompt.ts';
import { measureRequest } from '../../../shared/content/models/measure-request.ts';
import { type ModelWindow } from '../../../shared/content/models/prompt-budget.ts';

const WIDE = { contextWindow: 128_000 };
const user = { role: 'user', content: 'Which platform?' };
const request = (messages: unknown[] = [user], rest: object = {}): ChatRequest =>
  chatRequest.parse({ model: 'm', messages, ...rest });

/** A piece with one passage of about 100 tokens for each score. */
function piece(index: number, scores: number[], leftOut = 0): PassagesPiece {
  const passages = scores.map((score, position) => ({
    text: `Passage ${index}.${position} says: ${'the line is clear. '.repeat(20)}`,
    position,
    score,
  }));
  return {
    status: 'ready',
    kind: 'passages',
    piece: `document-${index}`,
    name: `${index}.txt`,
    passages,
    leftOut,
    ms: 3,
  };
}

/** The prompt for these pieces, and how many of the chosen passages did not fit. */
function assemble(
  about: ChatRequest,
  passages: PassagesPiece[],
  window: ModelWindow,
  more: Partial<PromptParts> = {},
) {
  const prompt = assemblePrompt({ request: about, passages, ...more }, window);
  const count = (pieces: readonly PassagesPiece[]) =>
    pieces.reduce((sum, { passages: chosen }) => sum + chosen.length, 0);
  return { ...prompt, leftOut: count(passages) - count(prompt.passages) };
}

const contextOf = ({ messages }: ChatRequest) =>
  messages.find(({ content }) => textOf(content).includes('<document name='));
const passagesIn = (body: ChatRequest) => textOf(contextOf(body)?.content).match(/Passage \d+\.\d+/g) ?? [];

describe('assemblePrompt', () => {
  test('without context the request goes to the model unchanged', () => {
    const plain = request();
    expect(assemble(plain, [], WIDE)).toEqual({ body: plain, included: [], passages: [], leftOut: 0 });
    expect(assemble(plain, [], WIDE).body).toBe(plain);
    expect(assemble(plain, [piece(0, [], 7)], WIDE).body).toBe(plain);
  });

  const system = { role: 'system', content: 'Be brief.' };
  const developer = { role: 'developer', content: 'Be brief.' };
  const assistant = { role: 'assistant', content: 'Platform 4.' };
  test.each([
    ['before everything when there is no system message', [user], ['SYSTEM', 'user']],
    ['after the system message', [system, user], ['system', 'SYSTEM', 'user']],
    ['after all leading system messages', [system, system, user], ['system', 'system', 'SYSTEM', 'user']],
    ['before the whole conversation', [user, assistant, user], ['SYSTEM', 'user', 'assistant', 'user']],
    [
      'as a developer message when the client uses developer messages',
      [developer, user],
      ['developer', 'DEVELOPER', 'user'],
    ],
    ['at the end when there is nothing else', [system], ['system', 'SYSTEM']],
  ])('the context is placed %s', (_name, messages, roles) => {
    const { body } = assemble(request(messages), [piece(0, [1])], WIDE);
    const context = contextOf(body);
    expect(
      body.messages.map((message) => (message === context ? message.role.toUpperCase() : message.role)),
    ).toEqual(roles);
  });

  test('the rest of the request is unchanged, and the input object is not modified', () => {
    const before = request([user], {
      temperature: 0.2,
      tools: [{ type: 'function', function: { name: 'f' } }],
      own: 1,
    });
    const copy = structuredClone(before);
    const { body } = assemble(before, [piece(0, [1])], WIDE);
    expect(before).toEqual(copy);
    expect({ ...body, messages: before.messages }).toEqual(copy);
  });

  test('all passages go in when they fit, and the result lists every piece', () => {
    const { body, included, leftOut } = assemble(request(), [piece(0, [1, 2], 5), piece(1, [3])], WIDE);
    expect(passagesIn(body)).toEqual(['Passage 0.0', 'Passage 0.1', 'Passage 1.0']);
    expect(included).toEqual([
      { source: 'document-0', passages: 2, leftOut: 5, ms: 3 },
      { source: 'document-1', passages: 1, leftOut: 0, ms: 3 },
    ]);
    expect(leftOut).toBe(0);
  });

  test('passages that do not fit are left out whole, lowest score first; the others keep their order', () => {
    const { body, included, leftOut } = assemble(request(), [piece(0, [1, 9, 2]), piece(1, [8, 3])], {
      contextWindow: 1_000,
    });
    expect(passagesIn(body)).toEqual(['Passage 0.1', 'Passage 1.0']);
    expect(included.map(({ passages, leftOut: out }) => [passages, out])).toEqual([
      [1, 2],
      [1, 1],
    ]);
    expect(leftOut).toBe(3);
  });

  test('room is reserved for the requested output, at most for the output that the model supports', () => {
    const pieces = [piece(0, [1, 1, 1])];
    const greedy = request([user], { max_tokens: 7_000 });
    expect(assemble(greedy, pieces, { contextWindow: 8_000 }).leftOut).toBe(3);
    expect(assemble(greedy, pieces, { contextWindow: 8_000, maxOutput: 2_000 }).leftOut).toBe(0);
  });

  test('any prompt stays within nine tenths of the window less the output', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(9), { maxLength: 6 }), { maxLength: 5 }),
        fc.integer({ min: 50, max: 4_000 }),
        fc.integer({ min: 1, max: 500 }),
        (scores, contextWindow, output) => {
          const asked = request([user], { max_completion_tokens: output });
          const { body } = assemble(
            asked,
            scores.map((list, at) => piece(at, list)),
            { contextWindow },
          );
          if (body !== asked)
            expect(measureRequest(body).exact()).toBeLessThanOrEqual(contextWindow * 0.9 - output);
        },
      ),
    );
  });

  test.each([
    ['text', [{ role: 'user', content: 'word '.repeat(2_000) }], {}],
    [
      'tool calls',
      [
        user,
        {
          role: 'assistant',
          tool_calls: [{ id: '1', function: { name: 'f', arguments: 'word '.repeat(2_000) } }],
        },
      ],
      {},
    ],
    [
      'tools',
      [user],
      { tools: [{ type: 'function', function: { name: 'f', description: 'word '.repeat(2_000) } }] },
    ],
    [
      'images',
      [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.org/a.png' } }] }],
      {},
    ],
  ])('too much %s for the window is a typed error', (_name, messages, rest) => {
    expect(() => assemble(request(messages, rest), [], { contextWindow: 1_000 })).toThrow(
      expect.objectContaining({ code: 'context_length_exceeded', param: 'messages', status: 400 }),
    );
  });

  test('an image sent as data counts as an image, not as its base64', () => {
    const url = `data:image/png;base64,${'A'.repeat(4_000_000)}`;
    const messages = [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }];
    expect(() => assemble(request(messages), [], { contextWindow: 8_000 })).not.toThrow();
  });

  test('20 MB of text are rejected without being tokenised whole', () => {
    const messages = [{ role: 'user', content: 'word '.repeat(4_000_000) }];
    expect(() => assemble(request(messages), [], WIDE)).toThrow(/context window/);
  });

  describe('an assistant and a history', () => {
    const roles = (body: ChatRequest) => body.messages.map(({ role }) => role);

    test.each([
      ['system', [system, user]],
      ['developer', [developer, user]],
      ['system', [user]],
    ])('instructions come first, as a %s message, before the client messages', (role, messages) => {
      const { body } = assemble(request(messages), [piece(0, [1])], WIDE, { instructions: 'Speak of law.' });
      expect(body.messages[0]).toEqual({ role, content: 'Speak of law.' });
      expect(roles(body).filter((each) => each === 'system' || each === 'developer').length).toBe(
        messages.length + 1,
      );
      expect(body.messages.at(-1)).toEqual(user);
    });

    test('only the kept messages go to the model, and the share reports how many were left out', () => {
      const messages = [system, user, assistant, { role: 'user', content: 'And back?' }];
      const history = { status: 'ready', kind: 'history', piece: 'history', ms: 2 } as const;
      const { body, included } = assemble(request(messages), [piece(0, [1])], WIDE, {
        history: { ...history, keep: [0, 3], leftOut: 2 },
      });
      expect(body.messages.map(({ content }) => textOf(content).slice(0, 9))).toEqual([
        'Be brief.',
        expect.any(String),
        'And back?',
      ]);
      expect(included).toMatchObject([
        { source: 'history', passages: 2, leftOut: 2 },
        { source: 'document-0', passages: 1 },
      ]);
    });

    test('instructions count towards the window: fewer passages fit beside them', () => {
      const window = { contextWindow: 1_100 };
      const without = assemble(request(), [piece(0, [1, 2, 3, 4])], window);
      const beside = assemble(request(), [piece(0, [1, 2, 3, 4])], window, {
        instructions: 'law '.repeat(150),
      });
      expect(beside.leftOut).toBeGreaterThan(without.leftOut);
    });
  });
});
