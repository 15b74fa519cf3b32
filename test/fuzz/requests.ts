import type { Random } from './random.ts';
import { anything, type Schema, valueOf } from './values.ts';

/** An operation of the API, as `/openapi.json` describes it. */
export interface Operation {
  method: string;
  path: string;
  body: Schema | undefined;
  query: string[];
}

interface Described {
  parameters?: { in: string; name: string }[];
  requestBody?: { content: Record<string, { schema: Schema } | undefined> };
}

export interface OpenApi {
  paths: Record<string, Record<string, Described>>;
}

export function operationsOf({ paths }: OpenApi): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({
      method: method.toUpperCase(),
      path,
      body: described.requestBody?.content['application/json']?.schema,
      query: (described.parameters ?? []).flatMap(({ in: place, name }) => (place === 'query' ? [name] : [])),
    })),
  );
}

export interface FuzzRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
}

const IDS = [
  'resp_0',
  `file-${'0'.repeat(32)}`,
  'chatcmpl-1',
  '%2e%2e',
  '%',
  'a%00b',
  'x'.repeat(300),
  'turnout-sim',
] as const;
const HEADERS = {
  'x-turnout-deadline-ms': ['1', '0', '-5', '1e9', 'soon', '60000'],
  'x-turnout-assistant': ['auto', 'none', '../x', 'law'],
  'x-turnout-priority': ['batch', 'first', ''],
  'idempotency-key': ['k', 'k'.repeat(256), ''],
  'cache-control': ['no-cache', 'max-age=-1', 'max-age=x', 'no-store, no-store'],
  'x-stainless-timeout': ['1', '-1', 'NaN'],
  'x-stainless-retry-count': ['1', '-1', 'x'],
  traceparent: ['00-x', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`],
} as const;
const TYPES = [
  'application/json',
  'text/plain',
  'application/xml',
  'multipart/form-data; boundary=x',
  '',
] as const;

export function requestFor(
  operation: Operation,
  random: Random,
  keys: readonly [string, ...string[]],
): FuzzRequest {
  const path = operation.path.replaceAll(/\{[^}]+\}|\*/g, () => random.of(IDS));
  const query = operation.query
    .filter(() => random.chance(0.4))
    .map((name) => `${name}=${encodeURIComponent(text(anything(random)))}`);
  const method = random.chance(0.03) ? random.of(['PUT', 'PATCH', 'DELETE', 'HEAD']) : operation.method;
  const hasBody = method === 'POST' || method === 'PUT';
  const body = operation.body ? valueOf(operation.body, random) : anything(random);
  return {
    method,
    path: `${path}${query.length > 0 ? `?${query.join('&')}` : ''}`,
    headers: headersFor(random, keys, hasBody),
    body: hasBody ? bodyText(JSON.stringify(body), random) : undefined,
  };
}

function headersFor(
  random: Random,
  keys: readonly [string, ...string[]],
  hasBody: boolean,
): Record<string, string> {
  const odd = Object.entries(HEADERS)
    .filter(() => random.chance(0.1))
    .map(([name, values]): [string, string] => [name, random.of(values as unknown as [string, ...string[]])]);
  const type = random.chance(0.93) ? 'application/json' : random.of(TYPES);
  return {
    authorization: random.chance(0.95)
      ? `Bearer ${random.of(keys)}`
      : random.of(['Bearer x', 'Basic eDp5', 'Bearer a.b.c']),
    ...(hasBody ? { 'content-type': type } : {}),
    ...Object.fromEntries(odd),
  };
}

function bodyText(whole: string, random: Random): string {
  if (random.chance(0.97)) return whole;
  return random.of([
    '',
    '{',
    'null',
    '[]',
    whole.slice(0, -1),
    `${whole}x`,
    '"\\ud800"',
    `${'['.repeat(2_000)}${']'.repeat(2_000)}`,
  ]);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value.replaceAll(/[\ud800-\udfff]/g, '') : JSON.stringify(value);
}
