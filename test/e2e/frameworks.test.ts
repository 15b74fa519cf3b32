import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createOpenAI, type OpenAIProvider } from '@ai-sdk/openai';
import { HumanMessage, ToolMessage } from '@langchain/core/messages';
import { tool as langchainTool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { validatingFetch } from './validating-fetch.ts';

jest.setTimeout(60_000);

/** Frameworks that people build on OpenAI's API with, unchanged: an address and a key. */
const MODEL = 'turnout-sim';
const FACTS = 'The night train to Ostheim leaves from platform 11.';
const QUESTION = 'From which platform does the night train to Ostheim leave?';
/** The simulated model calls a tool that it is told to call. */
const WEATHER = 'Please call get_weather.';
const city = z.object({ city: z.string() });

let services: RunningServices | undefined;

beforeAll(async () => {
  services = await startServices();
}, 90_000);

afterAll(() => services?.stop(), 60_000);

const address = () => `${services?.url ?? ''}/v1`;

describe.each([
  ['Responses', true],
  ['Chat Completions', false],
])("LangChain's ChatOpenAI over %s", (_api, useResponsesApi) => {
  const model = () =>
    new ChatOpenAI({
      ...{ model: MODEL, useResponsesApi, apiKey: testEnv().TURNOUT_API_KEY },
      configuration: { baseURL: address(), fetch: validatingFetch },
    });

  test('invokes', async () => {
    const message = await model().invoke([
      { role: 'system', content: FACTS },
      { role: 'user', content: QUESTION },
    ]);
    expect(message.text).toContain('platform 11');
    expect(message).toHaveProperty('usage_metadata.total_tokens', expect.any(Number));
  });

  test('streams', async () => {
    let text = '';
    for await (const chunk of await model().stream([{ role: 'user', content: `${FACTS} ${QUESTION}` }]))
      text += chunk.text;
    expect(text).toContain('platform 11');
  });

  test('calls a tool and goes on with its result', async () => {
    const weather = langchainTool(() => 'sunny', {
      name: 'get_weather',
      description: 'The weather',
      schema: city,
    });
    const bound = model().bindTools([weather]);
    const asked = new HumanMessage(WEATHER);
    const called = await bound.invoke([asked]);
    const [call] = called.tool_calls ?? [];
    expect(call).toMatchObject({ name: 'get_weather', args: { city: expect.any(String) } });
    const result = new ToolMessage({ content: 'sunny', tool_call_id: call?.id ?? '' });
    expect((await model().invoke([asked, called, result])).text).toContain('sunny');
  });

  test('keeps the conversation', async () => {
    const first = new HumanMessage('My dog is Bello. Remember it.');
    const answer = await model().invoke([first]);
    expect((await model().invoke([first, answer, new HumanMessage('What is my dog?')])).text).toContain(
      'Bello',
    );
  });
});

describe.each<[string, (provider: OpenAIProvider) => ReturnType<OpenAIProvider['chat']>]>([
  ['Responses', (provider) => provider.responses(MODEL)],
  ['Chat Completions', (provider) => provider.chat(MODEL)],
])('the Vercel AI SDK over %s', (api, of) => {
  const model = () =>
    of(createOpenAI({ baseURL: address(), apiKey: testEnv().TURNOUT_API_KEY, fetch: validatingFetch }));

  test('generates', async () => {
    const { text, usage, finishReason } = await generateText({
      model: model(),
      prompt: `${FACTS} ${QUESTION}`,
    });
    expect(text).toContain('platform 11');
    expect(usage.totalTokens).toBeGreaterThan(0);
    expect(finishReason).toBe('stop');
  });

  test('streams', async () => {
    const { textStream, finishReason } = streamText({ model: model(), prompt: `${FACTS} ${QUESTION}` });
    let text = '';
    for await (const delta of textStream) text += delta;
    expect(text).toContain('platform 11');
    expect(await finishReason).toBe('stop');
  });

  test('calls a tool and answers with its result, in several steps', async () => {
    const weather = tool({
      description: 'The weather',
      inputSchema: city,
      execute: () => Promise.resolve('sunny'),
    });
    const { text, steps } = await generateText({
      ...{ model: model(), prompt: WEATHER, tools: { get_weather: weather } },
      stopWhen: stepCountIs(3),
    });
    expect(steps.length).toBeGreaterThan(1);
    expect(text).toContain('sunny');
  });

  test('keeps the conversation', async () => {
    const question = { role: 'user' as const, content: 'My dog is Bello. Remember it.' };
    const { finalStep } = await generateText({ model: model(), messages: [question] });
    const { text } = await generateText({
      model: model(),
      messages: [question, ...finalStep.response.messages, { role: 'user', content: 'What is my dog?' }],
    });
    expect(text).toContain('Bello');
  });

  if (api === 'Responses')
    test('shows what the model thinks', async () => {
      const { finalStep } = await generateText({ model: model(), prompt: 'Why? [[sim: reasoning=8]]' });
      expect(finalStep.reasoningText).toMatch(/\w+/);
    });
});
