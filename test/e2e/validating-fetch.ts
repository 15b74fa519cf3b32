import { createParser } from 'eventsource-parser';
import { expectValid, type OpenAiType } from '../conformance/openai-schema/validate.ts';

/** By the `object` of a body; a deleted response is in no type of the SDK. */
const TYPE_OF_OBJECT: Readonly<Record<string, OpenAiType>> = {
  response: 'Response',
  file: 'FileObject',
  'chat.completion': 'ChatCompletion',
};

/** What was checked so far, so that a test can tell that something was. */
export const checked = { bodies: 0, events: 0 };

/** `fetch` for a client of the API: every body and every stream event that it gets must have the type that OpenAI's SDK gives it. */
export const validatingFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  const type = response.headers.get('content-type') ?? '';
  if (response.ok && type.startsWith('application/json'))
    checkBody(await response.clone().json(), response.url);
  if (!type.startsWith('text/event-stream') || !response.body) return response;
  return new Response(response.body.pipeThrough(checkingEvents()), response);
};

function checkBody(body: unknown, url: string): void {
  const { object, deleted } = body as { object?: string; deleted?: boolean };
  const type = url.includes('/input_items') ? 'ResponseItemList' : TYPE_OF_OBJECT[object ?? ''];
  if (!type || deleted) return;
  expectValid(type, body);
  checked.bodies += 1;
}

function checkingEvents(): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder();
  const parser = createParser({
    onEvent: ({ data, event }) => {
      if (data === '[DONE]') return;
      const value = JSON.parse(data) as { type?: string; error?: unknown };
      if (value.error) return;
      if (event !== undefined && event !== value.type)
        throw new Error(`event ${event} carries ${value.type ?? ''}`);
      expectValid(event === undefined ? 'ChatCompletionChunk' : 'ResponseStreamEvent', value);
      checked.events += 1;
    },
  });
  return new TransformStream({
    transform: (bytes, controller) => {
      parser.feed(decoder.decode(bytes, { stream: true }));
      controller.enqueue(bytes);
    },
  });
}
