import { z } from 'zod';

/** Generates a value that a JSON schema accepts, for tool arguments and `response_format`. `pattern` is ignored. */
export interface SampleHints {
  /** Searched first for values: "city: Paris", "city=Paris", or a member of an enum. */
  text: string;
  /** A string for a property that the text does not mention. */
  fallback: (property: string) => string;
}

const schemaNode = z.record(z.string(), z.unknown());
type Node = z.infer<typeof schemaNode>;

const MAX_DEPTH = 12;
const FORMATS: Readonly<Record<string, string>> = {
  'date-time': '2026-01-02T03:04:05Z',
  date: '2026-01-02',
  time: '03:04:05Z',
  email: 'someone@example.com',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
};

const asNode = (value: unknown): Node => schemaNode.safeParse(value).data ?? {};
const asNumber = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function resolveRef(root: Node, node: Node): Node {
  if (typeof node['$ref'] !== 'string') return node;
  const path = node['$ref'].replace(/^#\/?/, '').split('/').filter(Boolean);
  return path.reduce((at, key) => asNode(at[key.replace(/~1/g, '/').replace(/~0/g, '~')]), root);
}

function typeOf(node: Node): string {
  const declared: unknown = Array.isArray(node['type'])
    ? node['type'].find((type) => type !== 'null')
    : node['type'];
  if (typeof declared === 'string') return declared;
  if ('properties' in node) return 'object';
  return 'items' in node ? 'array' : 'string';
}

function alternative(node: Node): Node | null {
  const options: unknown = node['anyOf'] ?? node['oneOf'];
  if (Array.isArray(options)) return asNode(options.find((option) => asNode(option)['type'] !== 'null'));
  return Array.isArray(node['allOf']) ? (Object.assign({}, ...node['allOf'].map(asNode)) as Node) : null;
}

/** The value that the text gives for a property: `city: Paris`, `city=Paris`, `city is Paris`, `city "New York"`. */
function mentioned(property: string, text: string): string | undefined {
  if (property === '') return undefined;
  const name = escapeRegExp(property).replace(/_/g, '[_ ]');
  const match = new RegExp(
    `\\b${name}\\b(?:\\s*[:=]\\s*|\\s+is\\s+|\\s+(?="))(?:"([^"]+)"|([^\\s,;"]+))`,
    'iu',
  ).exec(text);
  return match?.[1] ?? match?.[2]?.replace(/[.!?)]+$/, '');
}

function sampleString(node: Node, property: string, hints: SampleHints): string {
  const format = typeof node['format'] === 'string' ? FORMATS[node['format']] : undefined;
  const value = mentioned(property, hints.text) ?? format ?? hints.fallback(property);
  const padded = value.padEnd(asNumber(node['minLength']) ?? 0, '.');
  return padded.slice(0, asNumber(node['maxLength']) ?? padded.length);
}

function sampleNumber(node: Node, property: string, hints: SampleHints): number {
  const said = Number(mentioned(property, hints.text) ?? /-?\d+(?:\.\d+)?/.exec(hints.text)?.[0] ?? 1);
  const min = asNumber(node['minimum']) ?? (asNumber(node['exclusiveMinimum']) ?? -Infinity) + 1;
  const max = asNumber(node['maximum']) ?? (asNumber(node['exclusiveMaximum']) ?? Infinity) - 1;
  const value = Math.min(Math.max(Number.isFinite(said) ? said : 1, min), max);
  return typeOf(node) === 'integer' ? Math.round(value) : value;
}

function sampleNode(root: Node, raw: unknown, property: string, hints: SampleHints, depth: number): unknown {
  const node = resolveRef(root, asNode(raw));
  if ('const' in node) return node['const'];
  if (Array.isArray(node['enum'])) {
    const options: unknown[] = node['enum'];
    return options.find((option) => typeof option === 'string' && hints.text.includes(option)) ?? options[0];
  }
  const other = alternative(node);
  if (other !== null) return sampleNode(root, other, property, hints, depth + 1);
  const inner = (schema: unknown, name: string): unknown => sampleNode(root, schema, name, hints, depth + 1);
  switch (typeOf(node)) {
    case 'object':
      return sampleObject(node, depth, inner);
    case 'array': {
      const length =
        depth < MAX_DEPTH ? Math.max(asNumber(node['minItems']) ?? 1, 1) : (asNumber(node['minItems']) ?? 0);
      return Array.from({ length }, () => inner(node['items'], property));
    }
    case 'integer':
    case 'number':
      return sampleNumber(node, property, hints);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return sampleString(node, property, hints);
  }
}

/** Beyond MAX_DEPTH optional properties are omitted, so that recursive schemas terminate. */
function sampleObject(node: Node, depth: number, inner: (schema: unknown, name: string) => unknown): unknown {
  const required: readonly unknown[] = Array.isArray(node['required']) ? node['required'] : [];
  const properties = Object.entries(asNode(node['properties']));
  if (depth > MAX_DEPTH * 2) return {};
  const kept = properties.filter(([name]) => depth < MAX_DEPTH || required.includes(name));
  return Object.fromEntries(kept.map(([name, schema]) => [name, inner(schema, name)]));
}

export function sampleFromSchema(schema: Readonly<Record<string, unknown>>, hints: SampleHints): unknown {
  return sampleNode(schema, schema, '', hints, 0);
}
