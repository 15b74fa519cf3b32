import { createParser } from 'eventsource-parser';
import { expectValid, type OpenAiType } from '../conformance/openai-schema/validate.ts';

/** The SDK's type by the `object` of a body. The SDK has no type for a deleted response. */
const TYPE_OF_OBJECT: Readonly<Record<string, OpenAiType>> = {
  response: 'Response',
  file: 'FileObject',
  list: 'ResponseItemList',
  model: 'Model',
  error: 'ErrorObject',
  'chat.completion': 'ChatCompletion',
};

/** Counts what was checked, so that a test can tell that something was. */
export const checked = { bodies: 0, events: 0 };

/** A `fetch` that checks every body and stream event against the type that OpenAI's SDK gives it. */
export const validatingFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  const type = response.headers.get('content-type') ?? '';
  if (type.startsWith('application/json')) checkBody(await response.clone().json(), response.url);
  if (!type.startsWith('text/event-stream') || !response.body) return response;
  return new Response(response.body.pipeThrough(checkingEvents()), response);
};

function checkBody(body: unknown, url: string): void {
  const { object, deleted, error, data } = body as Body;
  if (deleted) return;
  if (object === 'list' && !url.includes('/input_items')) {
    // The SDK has no type for a page of models or files.
    for (const item of data ?? []) checkBody(item, url);
    return;
  }
  const type = TYPE_OF_OBJECT[object ?? 'error'];
  if (!type) throw new Error(`No type is known for a body with object ${object ?? ''}`);
  expectValid(type, object === undefined ? error : body);
  checked.bodies += 1;
}

interface Body {
  object?: string;
  deleted?: boolean;
  error?: unknown;
  data?: unknown[];
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
