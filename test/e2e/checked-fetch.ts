import { createParser } from 'eventsource-parser';
import { type OpenaiType, problemsOf } from '../conformance/openai-schema/validator.ts';

/** A `fetch` for the SDK that looks at every body and every stream event on its way, and changes nothing. */
export interface CheckedFetch {
  fetch: typeof globalThis.fetch;
  /** What was not the SDK's type so far. */
  problems: readonly string[];
  /** The types, and the stream events by their names, that were seen: a check that saw nothing proves nothing. */
  seen: ReadonlySet<string>;
}

export function checkedFetch(): CheckedFetch {
  const problems: string[] = [];
  const seen = new Set<string>();

  function look(body: unknown, where: string): void {
    const { type, value, name } = kindOf(body);
    seen.add(name ?? type ?? 'unknown');
    const found = type ? problemsOf(type, value) : [`of no known type: ${JSON.stringify(body)}`];
    problems.push(...found.map((problem) => `${where}: ${name ?? type ?? ''} ${problem}`));
  }

  return {
    problems,
    seen,
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      const method = init?.method?.toUpperCase() ?? 'GET';
      const where = `${method} ${new URL(response.url).pathname} ${response.status}`;
      const kind = response.headers.get('content-type') ?? '';
      if (kind.startsWith('text/event-stream')) return watched(response, (event) => look(event, where));
      // The SDK has no type for what a deletion answers.
      if (response.ok && method === 'DELETE') return response;
      look(await response.clone().json(), where);
      return response;
    },
  };
}

/** In passing, not from a copy: a client that lets go of its stream lets go of the connection. */
function watched(response: Response, look: (event: unknown) => void): Response {
  const parser = createParser({ onEvent: ({ data }) => data === '[DONE]' || look(JSON.parse(data)) });
  const decoder = new TextDecoder();
  const passing = new TransformStream<Uint8Array, Uint8Array>({
    transform: (bytes, controller) => {
      parser.feed(decoder.decode(bytes, { stream: true }));
      controller.enqueue(bytes);
    },
  });
  return new Response(response.body?.pipeThrough(passing), response);
}

interface Kind {
  type: OpenaiType | undefined;
  value: unknown;
  /** Of a stream event. */
  name?: string | undefined;
}

const BY_OBJECT: Readonly<Record<string, OpenaiType>> = {
  response: 'Response',
  list: 'ResponseItemList',
  file: 'FileObject',
  'chat.completion': 'ChatCompletion',
  'chat.completion.chunk': 'ChatCompletionChunk',
};

function kindOf(body: unknown): Kind {
  const { object, type, error } = body as { object?: string; type?: string; error?: unknown };
  if (object !== undefined) return { type: BY_OBJECT[object], value: body };
  if (type !== undefined) return { type: 'ResponseStreamEvent', value: body, name: type };
  return { type: error === undefined ? undefined : 'ErrorObject', value: error };
}
