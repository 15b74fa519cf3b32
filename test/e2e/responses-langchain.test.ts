import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import {
  type AIMessageChunk,
  HumanMessage,
  type MessageContent,
  ToolMessage,
  type UsageMetadata,
} from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI, type ChatOpenAIFields } from '@langchain/openai';
import { z } from 'zod';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import {
  ANSWER,
  collectAll,
  FACT,
  MODEL,
  QUESTION,
  PACED,
  REASONER,
  WEATHER,
  WEATHER_QUESTION,
} from './responses-support.ts';
import { failureOf } from './support.ts';
import { validatingFetch } from './validating-fetch.ts';

jest.setTimeout(30_000);

let services: RunningServices | undefined;

beforeAll(async () => {
  services = await startServices();
}, 90_000);

afterAll(() => services?.stop(), 60_000);

/** Configured as users of LangChain do. */
function chatModel(fields: ChatOpenAIFields): ChatOpenAI {
  const configuration = { baseURL: `${services?.url ?? ''}/v1`, fetch: validatingFetch };
  return new ChatOpenAI({ model: MODEL, apiKey: testEnv().TURNOUT_API_KEY, configuration, ...fields });
}

const asked = new HumanMessage(`${FACT} ${QUESTION}`);
const getWeather = tool(({ city }) => `${WEATHER} in ${city}`, {
  name: 'get_weather',
  description: 'The weather in a city',
  schema: z.object({ city: z.string() }),
});

describe.each([
  ['the Responses API', true],
  ['Chat Completions', false],
])('ChatOpenAI over %s', (_api, useResponsesApi) => {
  const open = (fields: ChatOpenAIFields = {}) => chatModel({ useResponsesApi, ...fields });

  test('answers without streaming, with usage', async () => {
    const message = await open().invoke([asked]);
    expect(wordsOf(message.content)).toContain(ANSWER);
    const { input_tokens, output_tokens } = usageOf(message);
    expect(input_tokens).toBeGreaterThan(10);
    expect(output_tokens).toBeGreaterThan(3);
  });

  test('streams the same answer, with the same usage', async () => {
    const paced = new HumanMessage(`${FACT} ${QUESTION} ${PACED}`);
    const whole = await open().invoke([paced]);
    const chunks = await collectAll(await open({ streamUsage: true }).stream([paced]));
    const streamed = joined(chunks);
    expect(chunks.length).toBeGreaterThan(3);
    expect(wordsOf(streamed.content)).toBe(wordsOf(whole.content));
    expect(usageOf(streamed)).toMatchObject(usageOf(whole));
  });

  test('keeps the conversation over several turns', async () => {
    const messages = [new HumanMessage('My dog is Bello. Remember it.')];
    const first = await open().invoke(messages);
    const second = await open().invoke([...messages, first, new HumanMessage('What is my dog?')]);
    expect(wordsOf(second.content)).toContain('Bello');
  });

  test.each(['whole', 'streamed'])('calls a tool and receives its result, %s', async (how) => {
    const model = open().bindTools([getWeather]);
    const question = new HumanMessage(WEATHER_QUESTION);
    const first =
      how === 'whole'
        ? await model.invoke([question])
        : joined(await collectAll(await model.stream([question])));
    expect(first.tool_calls).toMatchObject([{ name: 'get_weather', args: { city: 'Oslo' } }]);
    const results = await Promise.all(
      (first.tool_calls ?? []).map((call) => getWeather.invoke({ ...call, type: 'tool_call' })),
    );
    expect(results[0]).toBeInstanceOf(ToolMessage);
    const second = await model.invoke([question, first, ...results]);
    expect(wordsOf(second.content)).toContain(`${WEATHER} in Oslo`);
  });

  test('returns structured output', async () => {
    const departure = z.object({ platform: z.int(), train: z.string() });
    const model = open().withStructuredOutput(departure, { name: 'departure', method: 'jsonSchema' });
    expect(await model.invoke([asked])).toEqual({
      platform: expect.any(Number),
      train: expect.any(String),
    });
  });

  test("fails with the client's own error", async () => {
    const failure = await failureOf(open({ maxRetries: 0, temperature: 9 }).invoke([asked]));
    expect(failure).toMatchObject({ status: 400, param: 'temperature' });
  });
});

describe('ChatOpenAI over the Responses API alone', () => {
  const open = (fields: ChatOpenAIFields = {}) => chatModel({ useResponsesApi: true, ...fields });

  test('continues from an earlier response by its id', async () => {
    const first = await open().invoke([new HumanMessage('My dog is Bello. Remember it.')]);
    const previous_response_id = String(first.response_metadata['id']);
    expect(previous_response_id).toMatch(/^resp_/);
    const second = await open().invoke([new HumanMessage('What is my dog?')], { previous_response_id });
    expect(wordsOf(second.content)).toContain('Bello');
  });

  test.each(['whole', 'streamed'])(
    'returns the reasoning, and sends it back with the next turn, %s',
    async (how) => {
      const model = open({ model: REASONER });
      const first =
        how === 'whole' ? await model.invoke([asked]) : joined(await collectAll(await model.stream([asked])));
      expect(JSON.stringify(first.additional_kwargs['reasoning'])).toContain(QUESTION.slice(0, 20));
      expect(usageOf(first).output_token_details?.reasoning).toBe(32);
      const second = await model.invoke([asked, first, new HumanMessage(QUESTION)]);
      expect(wordsOf(second.content)).toContain(ANSWER);
    },
  );
});

function joined(chunks: readonly AIMessageChunk[]): AIMessageChunk {
  return chunks.reduce((whole, chunk) => whole.concat(chunk));
}

/** The content is a string in Chat Completions, and a list of parts in Responses. */
function wordsOf(content: MessageContent): string {
  if (typeof content === 'string') return content;
  return content.map((part) => ('text' in part ? String(part['text']) : '')).join('');
}

function usageOf({ usage_metadata: usage }: { usage_metadata?: unknown }): UsageMetadata {
  return usage as UsageMetadata;
}
