import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { z } from 'zod';
import { deprecatedSettings } from '../../shared/platform/config/load.ts';
import { configSchema } from '../../shared/platform/config/schema.ts';
import { repositoryRoot } from '../layout.ts';
import { serviceNames } from '../services.ts';
import { escaped, GENERATED, table } from './markdown.ts';

/** Files that declare settings, in the order of the page. */
const DECLARATIONS = ['shared/platform/config/schema.ts', 'shared/platform/config/flags.ts'];

/** Every setting with its default, range and readers, as Markdown. */
export function configurationPage(): string {
  const descriptions = new Map(DECLARATIONS.flatMap(describedIn));
  const readers = readersBySetting();
  const rows = Object.entries(configSchema.shape).map(([name, schema]) => [
    `\`${name}\``,
    escaped(descriptions.get(name) ?? ''),
    defaultOf(schema),
    escaped(rangeOf(schema)),
    (readers.get(name) ?? []).join(', '),
  ]);
  return [
    '# Configuration',
    '',
    GENERATED,
    '',
    'Services read these environment variables. Times are in milliseconds and sizes in bytes unless a name says otherwise. A service that',
    'finds a wrong value does not start; it lists every problem and exits.',
    '',
    `Old names still work for two minor versions: ${oldNames()}.`,
    '',
    ...table(['Setting', 'Meaning', 'Default', 'Values', 'Read by'], rows),
    '',
  ].join('\n');
}

function oldNames(): string {
  const pairs = Object.entries(deprecatedSettings);
  return pairs.map(([old, current]) => `\`${old}\` for \`${current}\``).join(', ');
}

/** The doc comment above each property of an object literal: name and text. */
function describedIn(file: string): [string, string][] {
  const text = readFileSync(join(repositoryRoot, file), 'utf8');
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: [string, string][] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node) && /^[A-Z][A-Z0-9_]+$/.test(node.name.getText(source)))
      found.push([node.name.getText(source), commentOf(node)]);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function commentOf(node: ts.Node): string {
  const comments = ts.getJSDocCommentsAndTags(node).filter((one) => ts.isJSDoc(one));
  const text = ts.getTextOfJSDocComment(comments.at(-1)?.comment) ?? '';
  return text.replaceAll(/\s+/g, ' ').trim();
}

/** Setting -> services whose code names it, directly or in what it imports. */
function readersBySetting(): Map<string, string[]> {
  const names = Object.keys(configSchema.shape);
  const readers = new Map<string, string[]>();
  for (const service of serviceNames) {
    const texts = reachableFrom(join(repositoryRoot, 'services', service, 'main.ts')).map((file) =>
      readFileSync(file, 'utf8'),
    );
    for (const name of names)
      if (texts.some((text) => new RegExp(`\\b${name}\\b`).test(text)))
        readers.set(name, [...(readers.get(name) ?? []), service]);
  }
  return readers;
}

/** Declarations, and rules that compare settings, name every one of them. */
const NAMES_ALL = [...DECLARATIONS, 'shared/platform/config/check-together.ts'];

function reachableFrom(main: string): string[] {
  const seen = new Set([main]);
  const todo = [main];
  for (let file = todo.pop(); file !== undefined; file = todo.pop())
    for (const found of importsOf(file)) {
      if (seen.has(found)) continue;
      seen.add(found);
      todo.push(found);
    }
  return [...seen].filter((file) => !NAMES_ALL.includes(relative(repositoryRoot, file)));
}

function importsOf(file: string): string[] {
  const specifiers = readFileSync(file, 'utf8').matchAll(/'(\.{1,2}\/[^']+\.ts)'/g);
  return [...specifiers]
    .map(([, specifier]) => join(dirname(file), specifier ?? ''))
    .filter((found) => existsSync(found) && statSync(found).isFile());
}

type Schema = z.core.$ZodType;

function defaultOf(schema: Schema): string {
  const found = firstOf(schema, (one) => (one instanceof z.core.$ZodDefault ? one : undefined));
  if (!found) return isOptional(schema) ? 'unset' : '**required**';
  const value: unknown = found._zod.def.defaultValue;
  if (value === '' || (Array.isArray(value) && value.length === 0)) return 'empty';
  return `\`${Array.isArray(value) ? value.join(',') : String(value)}\``;
}

function isOptional(schema: Schema): boolean {
  return z.safeParse(schema, undefined).success;
}

function rangeOf(schema: Schema): string {
  const names = firstOf(schema, (one) =>
    one instanceof z.core.$ZodEnum ? Object.values(one._zod.def.entries) : undefined,
  );
  if (names) return names.map((name) => `\`${name}\``).join(', ');
  if (firstOf(schema, isBoolean)) return '`true`, `false`';
  const bounds = allOf(schema, (one) => (one instanceof z.ZodNumber ? one : undefined));
  if (bounds.length === 0) return isWhole(schema) ? '0 or more' : textOf(schema);
  const least = Math.max(0, ...bounds.map(({ minValue }) => minValue ?? 0));
  const most = Math.min(...bounds.map(({ maxValue }) => maxValue ?? Infinity));
  return most >= Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`;
}

/** Digits that become a number, without a bound. */
function isWhole(schema: Schema): boolean {
  return typeof z.safeParse(schema, '0').data === 'number';
}

/** `z.stringbool` is a pipe that ends in a boolean. */
function isBoolean(one: Schema): true | undefined {
  return one instanceof z.core.$ZodBoolean ? true : undefined;
}

function textOf(schema: Schema): string {
  if (firstOf(schema, (one) => (one instanceof z.core.$ZodURL ? true : undefined))) return 'a URL';
  return 'text';
}

/** Depth first through defaults, optionals and pipes. */
function allOf<T>(schema: Schema, pick: (one: Schema) => T | undefined): T[] {
  const own = pick(schema);
  const def = schema._zod.def as { innerType?: Schema; in?: Schema; out?: Schema };
  const inner = [def.innerType, def.in, def.out].flatMap((one) => (one ? allOf(one, pick) : []));
  return own === undefined ? inner : [own, ...inner];
}

function firstOf<T>(schema: Schema, pick: (one: Schema) => T | undefined): T | undefined {
  return allOf(schema, pick)[0];
}
