import { createOpenAI, type OpenAIProvider } from '@ai-sdk/openai';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { APICallError, generateText, isStepCount, type ModelMessage, Output, streamText, tool } from 'ai';
import { z } from 'zod';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import {
  ANSWER,
  collectAll,
  FACT,
  MODEL,
  PACED,
  QUESTION,
  REASONER,
  WEATHER,
  WEATHER_QUESTION,
} from './responses-support.ts';
import { failureOf } from './support.ts';
import { validatingFetch } from './validating-fetch.ts';

jest.setTimeout(30_000);

let services: RunningServices | undefined;
let openai: OpenAIProvider;
/** The request bodies that the SDK sent. */
let sent: string[] = [];

beforeAll(async () => {
  services = await startServices();
  openai = createOpenAI({
    baseURL: `${services.url}/v1`,
    apiKey: testEnv().TURNOUT_API_KEY,
    fetch: (input, init) => {
      if (typeof init?.body === 'string') sent.push(init.body);
      return validatingFetch(input, init);
    },
  });
}, 90_000);

afterAll(() => services?.stop(), 60_000);

const prompt = `${FACT} ${QUESTION}`;
const tools = {
  get_weather: tool({
    description: 'The weather in a city',
    inputSchema: z.object({ city: z.string() }),
    execute: ({ city }) => Promise.resolve(`${WEATHER} in ${city}`),
  }),
};
const withTools = { tools, stopWhen: isStepCount(3), prompt: WEATHER_QUESTION };

describe.each(['responses', 'chat'] as const)('the AI SDK over openai.%s', (api) => {
  const model = (name = MODEL) => openai[api](name);

  test('answers without streaming, with usage', async () => {
    const { text, finishReason, usage } = await generateText({ model: model(), prompt });
    expect(text).toContain(ANSWER);
    expect(finishReason).toBe('stop');
    expect(usage.inputTokens).toBeGreaterThan(10);
    expect(usage.outputTokens).toBeGreaterThan(3);
  });

  test('streams the same answer, with the same usage', async () => {
    const paced = `${prompt} ${PACED}`;
    const whole = await generateText({ model: model(), prompt: paced });
    const streaming = streamText({ model: model(), prompt: paced });
    const pieces = await collectAll(streaming.textStream);
    expect(pieces.length).toBeGreaterThan(3);
    expect(pieces.join('')).toBe(whole.text);
    expect(await streaming.usage).toMatchObject({
      inputTokens: whole.usage.inputTokens,
      outputTokens: whole.usage.outputTokens,
    });
  });

  test('keeps the conversation over several turns', async () => {
    const messages: ModelMessage[] = [{ role: 'user', content: 'My dog is Bello. Remember it.' }];
    const first = await generateText({ model: model(), messages });
    messages.push(...first.finalStep.response.messages, { role: 'user', content: 'What is my dog?' });
    expect((await generateText({ model: model(), messages })).text).toContain('Bello');
  });

  test('calls a tool and continues with its result, without streaming', async () => {
    const { text, steps } = await generateText({ model: model(), ...withTools });
    expect(steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop']);
    expect(text).toContain(`${WEATHER} in Oslo`);
  });

  test('calls a tool and continues with its result, streamed', async () => {
    const streaming = streamText({ model: model(), ...withTools });
    expect((await collectAll(streaming.textStream)).join('')).toContain(`${WEATHER} in Oslo`);
    expect(await streaming.steps).toHaveLength(2);
  });

  test('returns structured output', async () => {
    const schema = z.object({ platform: z.int(), train: z.string() });
    const { output } = await generateText({ model: model(), prompt, output: Output.object({ schema }) });
    expect(output).toEqual({ platform: expect.any(Number), train: expect.any(String) });
  });

  test("fails with the SDK's own error", async () => {
    const failure = await failureOf(generateText({ model: model(), prompt, temperature: 9, maxRetries: 0 }));
    expect(failure).toBeInstanceOf(APICallError);
    expect(failure).toMatchObject({ statusCode: 400, isRetryable: false });
  });
});

describe('the AI SDK over openai.responses alone', () => {
  const providerOptions = {
    openai: { forceReasoning: true, reasoningEffort: 'low', reasoningSummary: 'auto' },
  };
  const thinking = () => ({ model: openai.responses(REASONER), providerOptions });

  test('returns the reasoning, with and without streaming', async () => {
    const whole = await generateText({ ...thinking(), prompt });
    expect(whole.finalStep.reasoningText).toContain(QUESTION.slice(0, 20));
    const streaming = streamText({ ...thinking(), prompt });
    expect((await collectAll(streaming.textStream)).join('')).toBe(whole.text);
    expect((await streaming.finalStep).reasoningText).toBe(whole.finalStep.reasoningText);
    expect((await streaming.usage).outputTokenDetails.reasoningTokens).toBe(16);
  });

  test('refers to earlier messages and reasoning by id instead of sending them', async () => {
    sent = [];
    const messages: ModelMessage[] = [{ role: 'user', content: WEATHER_QUESTION }];
    const first = await generateText({ ...thinking(), tools, stopWhen: isStepCount(3), messages });
    expect(first.text).toContain(`${WEATHER} in Oslo`);
    messages.push(...first.finalStep.response.messages, {
      role: 'user',
      content: 'My seat is 12. What is my seat?',
    });
    const second = await generateText({ ...thinking(), tools, messages });
    expect(second.text).toContain('seat is 12');
    const named = [...(sent.at(-1) ?? '').matchAll(/"item_reference","id":"(\w+?)_/g)];
    expect(new Set(named.map(([, kind]) => kind))).toEqual(new Set(['rs', 'msg']));
  });

  test('continues from an earlier response by its id', async () => {
    const model = openai.responses(MODEL);
    const first = await generateText({ model, prompt: 'My dog is Bello. Remember it.' });
    const { responseId } = z
      .object({ responseId: z.string() })
      .parse(first.finalStep.providerMetadata?.['openai']);
    const { text } = await generateText({
      model,
      prompt: 'What is my dog?',
      providerOptions: { openai: { previousResponseId: responseId } },
    });
    expect(text).toContain('Bello');
  });

  test('sends everything if nothing is stored', async () => {
    const store = { openai: { store: false, forceReasoning: true } };
    const { text } = await generateText({ ...thinking(), ...withTools, providerOptions: store });
    expect(text).toContain(`${WEATHER} in Oslo`);
  });
});
