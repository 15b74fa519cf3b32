import { allOf } from '../fairness/calls.ts';
import { MODEL } from '../load/chat-call.ts';
import { repeat, type Troublemaker } from './troublemaker.ts';

export interface Trouble {
  name: string;
  cause(user: Troublemaker): Promise<unknown>;
  /** The required beginning of every answer. If undefined, any answer except a 500 is accepted. */
  expected?: string;
}

const CHAT = '/chat/completions';
const KIB = 1_024;
const SHORT_ANSWER = '[[sim: ttft=100; tokens=20; tps=20]]';

export const troubles: readonly Trouble[] = [
  {
    name: '500 messages of 64 KB, CJK',
    expected: '400',
    cause: (user) => user.post(CHAT, manyMessages(cjk(64 * KIB))),
  },
  {
    name: '500 messages of 64 KB without spaces',
    expected: '400',
    cause: (user) => user.post(CHAT, manyMessages('a'.repeat(64 * KIB))),
  },
  {
    name: '12 parallel requests of 220 KB',
    cause: (user) => times(12, 12, () => user.post(CHAT, chat(words(220 * KIB)))),
  },
  {
    name: '300 background jobs of 200 KB',
    cause: (user) => {
      const body = JSON.stringify({
        model: MODEL,
        input: `${words(200 * KIB)} ${SHORT_ANSWER}`,
        background: true,
      });
      return times(300, 32, () => user.post('/responses', body));
    },
  },
  {
    name: 'tools of 300 KB',
    cause: (user) => {
      const body = chat('Hi', { tools: largeTools(300 * KIB) });
      return repeat(1, () => user.post(CHAT, body));
    },
  },
  {
    name: 'metadata of 1,500,000 wrong pairs',
    expected: '400',
    cause: (user) => {
      const pairs = Array.from({ length: 1_500_000 }, (_, at) => `"k${at}":1`).join(',');
      const body = `{"model":"${MODEL}","messages":[{"role":"user","content":"Hi"}],"metadata":{${pairs}}}`;
      return repeat(1, () => user.post(CHAT, body));
    },
  },
  {
    name: '300,000 wrong parts',
    expected: '400',
    cause: (user) => {
      const parts = '{"type":"wrong"},'.repeat(299_999);
      const body = `{"model":"${MODEL}","messages":[{"role":"user","content":[${parts}{"type":"wrong"}]}]}`;
      return repeat(1, () => user.post(CHAT, body));
    },
  },
  {
    name: '12 HTML files of 200,000 nested elements, inline',
    cause: (user) => {
      const body = chatWithFile('What is my seat?', {
        filename: 'deep.html',
        file_data: inline('text/html', deepHtml()),
      });
      return times(12, 12, () => user.post(CHAT, body));
    },
  },
  {
    name: '12 HTML files of 200,000 nested elements, uploaded',
    cause: (user) =>
      times(12, 12, async () => {
        const file = await user.post('/files', upload('deep.html', 'text/html', deepHtml()));
        if (typeof file?.['id'] === 'string')
          await user.post(CHAT, chatWithFile('What is my seat?', { file_id: file['id'] }));
      }),
  },
  {
    name: '50 streams opened and closed at once',
    cause: (user) => {
      const body = chat('[[sim: tokens=2000; tps=20]] Tell me a long story.', { stream: true });
      return repeat(50, () => user.postAndLeave(CHAT, body));
    },
  },
  { name: 'wrong keys', expected: '4', cause: (user) => repeat(32, () => user.guessKey()) },
  {
    name: 'uploads',
    cause: (user) => {
      const text = words(1_024 * KIB);
      return repeat(4, (number) => user.post('/files', upload(`${number}.txt`, 'text/plain', text)));
    },
  },
  {
    name: 'a thread of 5 MB',
    cause: (user) => {
      const body = JSON.stringify({ model: MODEL, messages: thread(5_000, KIB) });
      return repeat(1, () => user.post(CHAT, body));
    },
  },
  {
    name: 'a document of 5 MB and a question',
    cause: (user) => {
      const file = { filename: 'long.txt', file_data: inline('text/plain', words(5_120 * KIB)) };
      const body = chatWithFile('What is said of lanterns in the harbour?', file);
      return repeat(1, () => user.post(CHAT, body));
    },
  },
  {
    name: 'a chain of 40 responses of 50 KB',
    cause: async (user) => {
      let previous: unknown;
      for (let turn = 0; turn < 40; turn += 1) {
        const input = `${SHORT_ANSWER} ${turn} ${words(50 * KIB)}`;
        const response = await user.post(
          '/responses',
          JSON.stringify({ model: MODEL, input, previous_response_id: previous }),
        );
        previous = response?.['id'] ?? previous;
      }
    },
  },
];

/** The troubles whose names contain one of the texts in TROUBLES, separated by commas. Throws if a text matches none. */
export function chosenTroubles(text: string | undefined): readonly Trouble[] {
  if (text === undefined || text === '') return troubles;
  const wanted = text.split(',').map((part) => part.trim());
  const unknown = wanted.filter((part) => !troubles.some(({ name }) => name.includes(part)));
  if (unknown.length > 0)
    throw new Error(
      `No trouble matches ${unknown.join(', ')} in TROUBLES. The troubles are: ${troubles.map(({ name }) => name).join('; ')}`,
    );
  return troubles.filter(({ name }) => wanted.some((part) => name.includes(part)));
}

function times(count: number, atOnce: number, work: () => Promise<unknown>): Promise<void> {
  const numbers = Array.from({ length: count }, (_, number) => number);
  return allOf(numbers, atOnce, async () => {
    await work();
  });
}

function chat(text: string, more: object = {}): string {
  const messages = [{ role: 'user', content: `${text} ${SHORT_ANSWER}` }];
  return JSON.stringify({ model: MODEL, messages, ...more });
}

function chatWithFile(question: string, file: object): string {
  const content = [
    { type: 'text', text: `${question} ${SHORT_ANSWER}` },
    { type: 'file', file },
  ];
  return JSON.stringify({ model: MODEL, messages: [{ role: 'user', content }] });
}

function manyMessages(content: string): string {
  return JSON.stringify({
    model: MODEL,
    messages: Array.from({ length: 500 }, () => ({ role: 'user', content })),
  });
}

function thread(turns: number, bytesEach: number): object[] {
  const messages = Array.from({ length: turns }, (_, turn) => ({
    role: turn % 2 === 0 ? 'user' : 'assistant',
    content: `${turn} ${words(bytesEach, turn)}`,
  }));
  return [...messages, { role: 'user', content: `What was said of lanterns? ${SHORT_ANSWER}` }];
}

function largeTools(bytes: number): object[] {
  const parameters = (name: number) => ({
    type: 'object',
    properties: { value: { type: 'string', description: words(bytes / 100, name) } },
  });
  return Array.from({ length: 100 }, (_, name) => ({
    type: 'function',
    function: { name: `tool_${name}`, parameters: parameters(name) },
  }));
}

function deepHtml(): string {
  return `<html><body>${'<div>'.repeat(200_000)}My seat is 5.</body></html>`;
}

function inline(type: string, text: string): string {
  return `data:${type};base64,${Buffer.from(text).toString('base64')}`;
}

function upload(filename: string, type: string, text: string): FormData {
  const form = new FormData();
  form.set('purpose', 'user_data');
  form.set('file', new Blob([text], { type }), filename);
  return form;
}

const VOCABULARY =
  'the harbour lantern keeper counts boats at night while rain falls on every third quay of Rotterdam'.split(
    ' ',
  );

/** Plain words of about `bytes` bytes in total. Their order repeats only after thousands of words. */
function words(bytes: number, seed = 0): string {
  const parts: string[] = [];
  for (let [size, state] = [0, seed + 1]; size < bytes;) {
    state = (state * 48_271) % 2_147_483_647;
    const word = VOCABULARY[state % VOCABULARY.length] ?? '';
    parts.push(word);
    size += word.length + 1;
  }
  return parts.join(' ');
}

/** Characters of three bytes each, of about `bytes` bytes in total. */
function cjk(bytes: number): string {
  return Array.from({ length: bytes / 3 }, (_, at) =>
    String.fromCharCode(0x4e00 + ((at * 7_919) % 20_000)),
  ).join('');
}
