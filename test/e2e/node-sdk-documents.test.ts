import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type OpenAI from 'openai';
import { APIError } from 'openai';
import { type RunningServices, startServices } from '../harness/services.ts';
import { failureOf, openaiClient, textFile } from './support.ts';

jest.setTimeout(30_000);

const FACT = 'The night train to Ostheim leaves from platform 11.';
const QUESTION = 'From which platform does the night train to Ostheim leave?';

let services: RunningServices | undefined;
let client: OpenAI;

beforeAll(async () => {
  services = await startServices();
  client = openaiClient(services, { maxRetries: 0 });
}, 90_000);

afterAll(() => services?.stop(), 60_000);

type File = ReturnType<typeof textFile>;

async function askAbout(...files: File[]): Promise<string> {
  const content = [{ type: 'text' as const, text: QUESTION }, ...files];
  const completion = await client.chat.completions.create({
    model: 'turnout-sim',
    messages: [{ role: 'user', content }],
  });
  return completion.choices[0]?.message.content ?? '';
}

/** Text of about this many bytes with the fact in its middle. */
function report(bytes: number): string {
  const lines: string[] = [];
  for (let size = 0, day = 1; size < bytes; day += 1) {
    const line = `On day ${day} the line was quiet and ${day % 97} carriages were counted at the depot.`;
    lines.push(line, ...(day % 8 === 0 ? [''] : []));
    size += line.length + 1;
  }
  lines.splice(Math.floor(lines.length / 2), 0, '', FACT, '');
  return lines.join('\n');
}

describe('a document', () => {
  test('that is small is quoted', async () => {
    expect(await askAbout(textFile('timetable.txt', FACT))).toContain('platform 11');
  });

  test('among several is found', async () => {
    const others = ['The bistro car serves soup until ten.', 'Bicycles travel in the last carriage.'];
    const files = [...others, FACT].map((text, i) => textFile(`note-${i}.txt`, text));
    expect(await askAbout(...files)).toContain('platform 11');
  });

  test('that is too large for Kafka is passed through the blob store, and its fact is found', async () => {
    expect(await askAbout(textFile('year.txt', report(600_000)))).toContain('platform 11');
  });

  test('whose text grows when serialized is measured in its serialized form', async () => {
    // 200,000 characters, which are 1.2 MB as JSON: more than the broker accepts.
    const text = `${FACT}\n\n${'\u001b'.repeat(200_000)}`;
    expect(await askAbout(textFile('terminal.log', text))).toContain('platform 11');
  });

  test('of 20 MB is accepted', async () => {
    expect(await askAbout(textFile('decade.txt', report(20 * 1024 * 1024)))).toContain('platform 11');
  }, 60_000);

  test('over the limit is a typed 413', async () => {
    const file = textFile('too-much.txt', 'x'.repeat(26 * 1024 * 1024)); // 35 MB in base64
    const error = await failureOf(askAbout(file));
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: 413, code: 'body_too_large', type: 'invalid_request_error' });
  }, 30_000);
});

test('a long message without documents is passed through the blob store as well', async () => {
  // Over 256 KB, but within the model's context window.
  const content = `${'word '.repeat(60_000)}\n\nMy seat is 77. What is my seat?`;
  const completion = await client.chat.completions.create({
    model: 'turnout-sim',
    messages: [{ role: 'user', content }],
  });
  expect(completion.choices[0]?.message.content).toContain('seat is 77.');
}, 30_000);

test('messages that exceed the model’s context window are refused with a typed error', async () => {
  const content = 'word '.repeat(150_000);
  const error = await failureOf(
    client.chat.completions.create({ model: 'turnout-sim', messages: [{ role: 'user', content }] }),
  );
  expect(error).toMatchObject({ status: 400, code: 'context_length_exceeded', param: 'messages' });
}, 30_000);
