import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Turn } from './conversation.ts';
import { resolveKnobs, type KnobSettings } from './knobs.ts';
import {
  countPrompt,
  interleave,
  planReply,
  requestedTools,
  usageOf,
  type ChatRequest,
  type Reply,
} from './reply.ts';
import { countTokens, tokenise } from './tokens.ts';

const turn = (role: Turn['role'], text: string, extra: Partial<Turn> = {}): Turn => ({
  role,
  text,
  toolCalls: [],
  toolCallId: null,
  attachments: 0,
  ...extra,
});

function request(turns: Turn[], extra: Partial<ChatRequest> = {}): ChatRequest {
  return {
    model: 'turnout-sim',
    turns,
    tools: [],
    toolChoice: 'auto',
    parallelToolCalls: true,
    format: { kind: 'text' },
    choices: 1,
    maxTokens: null,
    stop: [],
    effort: null,
    thinking: false,
    ...extra,
  };
}

const plan = (asked: ChatRequest, knobs: KnobSettings = {}): Reply => planReply(asked, resolveKnobs(knobs));
const textOf = (reply: Reply, choice = 0): string =>
  (reply.choices[choice]?.pieces ?? []).map((piece) => (piece.kind === 'content' ? piece.text : '')).join('');
const ask = (...turns: Turn[]): string => textOf(plan(request(turns)));

describe('tokens', () => {
  test('always join to the text, and their count is the number of pieces', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 600 }), (text) => {
        expect(tokenise(text).join('')).toBe(text);
        expect(countTokens(text)).toBe(tokenise(text).length);
      }),
    );
  });

  test.each([
    ['', 0],
    ['Hello, world.', 2],
    ['  two words  ', 3],
    ['incomprehensibilities', 2],
    ['🚂'.repeat(13), 2],
  ])('%j has %d tokens', (text, count) => {
    expect(countTokens(text)).toBe(count);
  });

  test('a prompt costs its text, three tokens per message and three for the answer', () => {
    expect(countPrompt([turn('system', 'Be brief.'), turn('user', 'Hi')], [])).toBe(2 + 3 + 1 + 3 + 3);
    expect(countPrompt([turn('user', 'Hi', { attachments: 1 })], [])).toBe(1 + 3 + 85 + 3);
  });
});

describe('an answer', () => {
  const handbook =
    'Passages:\n[1] The night train to Oslo leaves from platform 7. It has a dining car.\n[2] A bicycle needs its own ticket.';

  test('quotes the sentence of the context that matches the question', () => {
    expect(
      ask(turn('system', handbook), turn('user', 'From which platform does the night train to Oslo depart?')),
    ).toContain('leaves from platform 7.');
    expect(ask(turn('user', `${handbook}\n\nQuestion: Does a bicycle need a ticket?`))).toContain(
      'A bicycle needs its own ticket.',
    );
  });

  test('restates the question if nothing matches', () => {
    expect(ask(turn('system', handbook), turn('user', 'Why is the sky blue?'))).toContain(
      '"Why is the sky blue?"',
    );
  });

  test('recalls what the user said, preferring the latest statement', () => {
    const turns = [
      turn('user', 'Hello, my name is Ada.'),
      turn('assistant', 'Hello!'),
      turn('user', 'No: my name is Grace Hopper, in fact.'),
    ];
    expect(ask(...turns, turn('assistant', 'I see.'), turn('user', "What's my name?"))).toMatch(
      /our name is Grace Hopper\.$/,
    );
  });

  test('quotes the result of a tool under the name of its call', () => {
    const called = turn('assistant', '', { toolCalls: [{ id: 'c1', name: 'get_weather', arguments: '{}' }] });
    const answer = ask(
      turn('user', 'call get_weather'),
      called,
      turn('tool', '{"sky":"grey"}', { toolCallId: 'c1' }),
    );
    expect(answer).toContain('get_weather returned: {"sky":"grey"}');
  });

  test('depends on the conversation, not on the model', () => {
    const said = [turn('user', 'Tell me something')];
    expect(textOf(plan(request(said)))).toBe(textOf(plan(request(said, { model: 'another' }))));
    expect(ask(...said)).not.toBe(ask(turn('user', 'Tell me something else')));
  });

  test.each([1, 7, 50, 1000])('has exactly %d tokens when the knob asks for that', (tokens) => {
    const reply = plan(request([turn('user', 'Hello')]), { tokens });
    expect(usageOf(reply).completion).toBe(tokens);
    expect(countTokens(textOf(reply))).toBe(tokens);
  });

  test('choices differ, and are streamed interleaved', () => {
    const reply = plan(request([turn('user', 'Hello')], { choices: 3 }), { tokens: 4 });
    expect(new Set([0, 1, 2].map((choice) => textOf(reply, choice))).size).toBe(3);
    expect(interleave(reply.choices).map(({ choice }) => choice)).toEqual([
      0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2,
    ]);
  });

  test('ends at max_tokens (including reasoning) or before a stop sequence', () => {
    const said = [turn('user', 'Hello')];
    const short = plan(request(said, { maxTokens: 5 }), { reasoning: 3, tokens: 20 });
    expect(usageOf(short)).toMatchObject({ completion: 5, reasoning: 3 });
    expect(short.choices[0]?.finish).toBe('length');
    const whole = textOf(plan(request(said)));
    const stopped = plan(request(said, { stop: ['nowhere', whole.slice(10, 14)] }));
    expect(textOf(stopped)).toBe(whole.slice(0, whole.indexOf(whole.slice(10, 14))));
    expect(stopped.choices[0]?.finish).toBe('stop');
  });

  test.each([
    ['turnout-sim', null, {}, 0],
    ['turnout-sim', null, { reasoning: 9 }, 9],
    ['turnout-sim-reasoner', null, {}, 32],
    ['turnout-sim-reasoner', 'high', {}, 64],
    ['turnout-sim-reasoner', null, { reasoning: 0 }, 0],
  ])('%s at effort %s with %j produces %d reasoning tokens', (model, effort, knobs, tokens) => {
    expect(usageOf(plan(request([turn('user', 'Why?')], { model, effort }), knobs)).reasoning).toBe(tokens);
  });
});

describe('a partial answer', () => {
  const said = [turn('system', 'Trains run on rails.'), turn('user', 'What do trains run on?')];
  const whole = ask(...said);
  const forms: [string, (partial: string) => Turn[]][] = [
    ['prefilled', (partial) => [...said, turn('assistant', partial)]],
    [
      'requested',
      (partial) => [
        ...said,
        turn('assistant', partial),
        turn('user', 'Continue the partial answer exactly.'),
      ],
    ],
  ];

  test.each(forms)('%s: for any cut, the parts join to the whole answer', (_name, turns) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: whole.length }), (at) => {
        expect(whole.slice(0, at) + ask(...turns(whole.slice(0, at)))).toBe(whole);
      }),
    );
  });

  test.each(forms)('%s: the knob decides how it is answered', (_name, turns) => {
    const asked = request(turns(whole.slice(0, 10)));
    expect(textOf(plan(asked, { continue: 'same' }))).toBe(whole);
    const different = textOf(plan(asked, { continue: 'different' }));
    expect(different.slice(0, 3)).not.toBe(whole.slice(0, 3));
    expect(textOf(plan(asked, { continue: 'continue', tokens: 40 })).length).toBeGreaterThan(0);
  });

  test('requested to begin with the last words, does so or ignores that, as the knob says', () => {
    const [partial, lead] = [whole.slice(0, 20), whole.slice(12, 20)];
    const text = `Continue the partial answer exactly.\n<last_words>${lead}</last_words>`;
    const asked = request([...said, turn('assistant', partial), turn('user', text)]);
    expect(textOf(plan(asked, { continue: 'continue' }))).toBe(whole.slice(12));
    expect(textOf(plan(asked, { continue: 'bare' }))).toBe(whole.slice(20));
    expect(textOf(plan(asked, { continue: 'quoted' }))).toBe(`"...${lead}"${whole.slice(20)}`);
    expect(textOf(plan(asked, { continue: 'tagged' }))).toBe(
      `<last_words>${lead}</last_words>${whole.slice(20)}`,
    );
  });

  test('prefilled gets no further reasoning; requested does', () => {
    const [prefilled, requested] = forms.map(([, turns]) => plan(request(turns('A'), { model: 'reasoner' })));
    expect(prefilled && usageOf(prefilled).reasoning).toBe(0);
    expect(requested && usageOf(requested).reasoning).toBe(32);
  });
});

describe('tools', () => {
  const weather = {
    name: 'get_weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' } },
      required: ['city'],
    },
  };
  const time = { name: 'get_time', parameters: {} };
  const names = (text: string, extra: Partial<ChatRequest> = {}): string[] =>
    requestedTools(request([turn('user', text)], { tools: [weather, time], ...extra })).map(
      ({ name }) => name,
    );

  test.each<[string, Partial<ChatRequest>, string[]]>([
    ['How are you?', {}, []],
    ['Please call get_weather', {}, ['get_weather']],
    ['call get_time and call get_weather', {}, ['get_weather', 'get_time']],
    ['call get_time and call get_weather', { parallelToolCalls: false }, ['get_weather']],
    ['Hello', { toolChoice: 'required' }, ['get_weather']],
    ['Hello', { toolChoice: { name: 'get_time' } }, ['get_time']],
    ['call get_weather', { toolChoice: 'none' }, []],
  ])('%j with %j calls the tools %j', (text, extra, expected) => {
    expect(names(text, extra)).toEqual(expected);
  });

  test('arguments come from the message, in pieces that join to valid JSON', () => {
    const reply = plan(
      request([turn('user', 'call get_weather with city: Oslo for 3 days')], { tools: [weather] }),
    );
    const pieces = reply.choices[0]?.pieces ?? [];
    expect(pieces[0]).toMatchObject({ kind: 'call', name: 'get_weather' });
    const json = pieces.map((piece) => (piece.kind === 'arguments' ? piece.text : '')).join('');
    expect(JSON.parse(json)).toEqual({ city: 'Oslo', days: 3 });
    expect(reply.choices[0]?.finish).toBe('tool_calls');
  });
});
