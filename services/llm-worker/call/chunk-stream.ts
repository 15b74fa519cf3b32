import { createParser } from 'eventsource-parser';
import { APIError } from 'openai';
import { type ChatCompletionChunk } from 'openai/resources/chat/completions';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

/**
 * The chunks of a Chat Completions stream, in the groups in which they were read from the socket. Ends at `[DONE]` or with the body.
 * Throws `APIError` without a status for an error event, as the openai client does, `upstream_cut` for anything that is not a chunk,
 * and the abort's own error.
 *
 * The openai client's iterator passes each chunk through five promises. This one parses each socket read at once, which costs the
 * worker a third less, and chunks that arrive together are appended to the log together.
 */
export async function* readChunks(
  response: Response,
): AsyncGenerator<ChatCompletionChunk[], void, undefined> {
  const read = { group: [] as ChatCompletionChunk[], done: false };
  const parser = createParser({
    onEvent: ({ data }) => {
      if (data === '[DONE]') read.done = true;
      if (!read.done) read.group.push(toChunk(data, response.headers));
    },
  });
  const decoder = new TextDecoder();
  for await (const bytes of bodyOf(response)) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    if (read.group.length > 0) yield read.group;
    read.group = [];
    if (read.done) return;
  }
}

function bodyOf({ body }: Response): AsyncIterable<Uint8Array> {
  if (!body) throw new TurnoutError('upstream_cut');
  return body;
}

function toChunk(data: string, headers: Headers): ChatCompletionChunk {
  const value = parseJson(data);
  if (typeof value !== 'object' || value === null) throw new TurnoutError('upstream_cut');
  if ('error' in value && value.error) throw new APIError(undefined, value.error, undefined, headers);
  if (!('choices' in value) || !Array.isArray(value.choices)) throw new TurnoutError('upstream_cut');
  return value as ChatCompletionChunk;
}

function parseJson(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (error) {
    throw new TurnoutError('upstream_cut', { cause: error });
  }
}
