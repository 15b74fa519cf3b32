import { type Recorded } from './capture.ts';
import { jsonOf } from './read.ts';
import { type Message, type StoredKey, type Text } from './recording.ts';

/**
 * The names that a recording contains, one text for each: `jobs > request.kind string`. Ids, times and positions are replaced by
 * placeholders, so that two recordings of the same scenario have the same names, whatever happened when.
 */
export function namesIn(recorded: Recorded): Set<string> {
  return new Set([
    ...topicNames('jobs', recorded.jobs),
    ...topicNames('dead-letters', recorded['dead-letters']),
    ...topicNames('events', recorded.events),
    ...topicNames('control', recorded.control),
    ...topicNames('control-state', recorded['control-state']),
    ...namesInStores(recorded),
    ...Object.entries(recorded.blobs).flatMap(([path, text]) => textNames(`blob ${general(path)}`, text)),
    ...recorded.logs.flatMap((line) => pathsIn(`log '${general(String(line['msg']))}' >`, line)),
    ...recorded.facts.groups.map((group) => `consumer group ${group}`),
  ]);
}

/** The part of them that is in the two Redis. */
export function namesInStores(stores: Pick<Recorded, 'job-redis' | 'cache-redis'>): string[] {
  return [
    ...stores['job-redis'].flatMap((key) => keyNames('job Redis', key)),
    ...stores['cache-redis'].flatMap((key) => keyNames('cache Redis', key)),
  ];
}

function topicNames(topic: string, messages: readonly Message[]): string[] {
  return messages.flatMap(({ headers, value }) => [
    ...Object.keys(headers).map((name) => `${topic} header ${name}`),
    ...textNames(`${topic}${kindOf(jsonOf(value))}`, value),
  ]);
}

/** A name for each key and hash field; of the texts in it also the names in their JSON. */
function keyNames(store: string, { key, type, ttl, value }: StoredKey): string[] {
  const name = `${store} ${general(key)}`;
  const own = `${name} ${type}${ttl === undefined ? '' : ' that expires'}`;
  if (type === 'hash')
    return [
      own,
      ...Object.entries(value as Record<string, Text>).flatMap(([field, text]) =>
        textNames(`${name} field ${general(field)}`, text),
      ),
    ];
  if (type === 'stream')
    return [own, ...(value as [string, ...Text[]][]).flatMap(([, ...fields]) => entryNames(name, fields))];
  return type === 'string' ? [own, ...textNames(name, value as Text)] : [own];
}

function entryNames(name: string, fields: readonly Text[]): string[] {
  return fields.flatMap((field, at) => {
    const text = fields[at + 1];
    if (at % 2 === 1 || typeof field !== 'string' || text === undefined) return [];
    return textNames(`${name} entry ${field}${kindOf(jsonOf(text))}`, text);
  });
}

function textNames(name: string, text: Text): string[] {
  const json = jsonOf(text);
  return json === undefined ? [name] : pathsIn(`${name} >`, json);
}

/** What tells kinds of messages apart that have different fields. */
function kindOf(json: unknown): string {
  const { kind, type, status, instruction } = (json ?? {}) as Record<string, unknown>;
  const inner = (instruction as { type?: string } | undefined)?.type;
  return [kind, type, status, inner].flatMap((one) => (typeof one === 'string' ? ` ${one}` : [])).join('');
}

/** The path of each value, with its kind. */
function pathsIn(path: string, value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => pathsIn(`${path}[]`, one));
  if (typeof value !== 'object' || value === null)
    return [`${path} ${value === null ? 'null' : typeof value}`];
  return Object.entries(value).flatMap(([name, one]) => pathsIn(`${path}.${general(name)}`, one));
}

const PLACEHOLDERS: [RegExp, string][] = [
  [/^(?=.*[A-Z0-9])[\w-]{22}$/g, '<entry>'],
  [/\{b[0-3][0-9a-f]\}/g, '{bucket}'],
  [/\{u-[0-9a-f]{32}\}/g, '{user}'],
  [/\b\d{4}-\d{2}(-\d{2})?\b/g, '<period>'],
  [/(?<=:[esu]:)[\w-]{22}(:[\w-]{22})?/g, '<entry>'],
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<id>'],
  [/[0-9a-f]{12,64}/g, '<id>'],
  [/\d+/g, '0'],
];

function general(name: string): string {
  return PLACEHOLDERS.reduce((text, [pattern, placeholder]) => text.replaceAll(pattern, placeholder), name);
}
