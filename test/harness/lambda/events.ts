import { readFileSync } from 'node:fs';

/** Events in the shapes that AWS documents, with the values that a test sets. */
function recorded(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(`events/${name}.json`, import.meta.url), 'utf8')) as Record<
    string,
    unknown
  >;
}

export interface HttpRequest {
  method?: string;
  path: string;
  query?: string;
  headers?: Record<string, string>;
  body?: unknown;
}

function httpEvent(name: string, { method = 'POST', path, query = '', headers, body }: HttpRequest) {
  const event = recorded(name) as {
    headers: Record<string, string>;
    requestContext: { http: object };
    isBase64Encoded: boolean;
  };
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  return {
    ...event,
    rawPath: path,
    rawQueryString: query,
    headers: { ...event.headers, ...headers },
    requestContext: { ...event.requestContext, http: { ...event.requestContext.http, method, path } },
    ...(text === undefined
      ? {}
      : { body: event.isBase64Encoded ? Buffer.from(text).toString('base64') : text }),
  };
}

export const httpApiEvent = (request: HttpRequest) => httpEvent('http-api', request);
export const functionUrlEvent = (request: HttpRequest) => httpEvent('function-url', request);

interface Message {
  id: string;
  body: string;
  /** The message group of a FIFO queue. */
  group?: string;
}

export function sqsEvent(messages: readonly Message[]) {
  return {
    Records: messages.map(({ id, body, group }) => {
      const record = recorded(group === undefined ? 'sqs' : 'sqs-fifo') as { attributes: object };
      const attributes = { ...record.attributes, ...(group === undefined ? {} : { MessageGroupId: group }) };
      return { ...record, messageId: id, body, attributes };
    }),
  };
}

export function busEvent(id: string, detail: unknown) {
  return { ...recorded('event-bridge'), id, detail };
}
