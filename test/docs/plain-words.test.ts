import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';
import { repositoryRoot } from '../../stack/layout.ts';

/** Pronouns that no text may use for a user or a process. */
const PRONOUNS = /\b(he|him|his|whoever|whom)\b/i;

/** Parts of names that the glossary has replaced. */
const RETIRED = new Set([
  'anchor',
  'bury',
  'caretaker',
  'desk',
  'door',
  'duties',
  'duty',
  'flights',
  'fly',
  'gate',
  'impatience',
  'patience',
  'seal',
  'showing',
  'vault',
  'waking',
  'wish',
]);

/** Names that others gave, and names on the wire or in a store. */
const KEPT = new Set(['anchor', 'duties', 'patience', 'UNREACHABLE_PATIENCE_MS']);

/** Prompts that models get: another word changes their answers, and those of release 0.1.0 are continued. */
const PROMPTS = 'services/llm-worker/prompt/context-text.ts';

/** Not prose of ours: what a simulated model says, and texts that tests ask about. */
const FOREIGN = [/^evals\/.*\/(corpus|data)/, /^test\/docs\/plain-words\.test\.ts$/];

const files = execFileSync('git', ['ls-files'], { cwd: repositoryRoot, encoding: 'utf8' })
  .split('\n')
  .filter((file) => existsSync(join(repositoryRoot, file)) && !FOREIGN.some((one) => one.test(file)));

const read = (file: string) => readFileSync(join(repositoryRoot, file), 'utf8');
const sources = files.filter((file) => file.endsWith('.ts'));

interface Piece {
  line: number;
  text: string;
}

/** Comments and string literals of a TypeScript file. */
function proseOf(file: string): Piece[] {
  const text = read(file);
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const lineAt = (position: number) => source.getLineAndCharacterOfPosition(position).line + 1;
  const found: Piece[] = [];
  const seen = new Set<number>();
  const visit = (node: ts.Node): void => {
    const comments = [
      ...(ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(text, node.getEnd()) ?? []),
    ];
    for (const { pos, end } of comments.filter(({ pos }) => !seen.has(pos))) {
      seen.add(pos);
      found.push({ line: lineAt(pos), text: text.slice(pos, end) });
    }
    if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node))
      found.push({ line: lineAt(node.getStart(source)), text: node.getText(source) });
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Prose of what is not TypeScript: all of it. */
function linesOf(file: string): Piece[] {
  return read(file)
    .split('\n')
    .map((text, index) => ({ line: index + 1, text }));
}

function wordsOf(name: string): string[] {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[\s_]+/);
}

function namesDeclaredIn(file: string): string[] {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const name = (node as { name?: ts.Node }).name;
    if (name && ts.isIdentifier(name) && !ts.isPropertyAccessExpression(node)) found.push(name.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

describe('pronouns', () => {
  const prose = files
    .filter((file) => /\.(ts|md|lua|yaml|yml)$|^Makefile$|^\.env\.example$/.test(file))
    .filter((file) => !file.startsWith('test/upstream/') && file !== PROMPTS && file !== 'CHANGELOG.md');

  test.each(prose)('%s', (file) => {
    const pieces = file.endsWith('.ts') ? proseOf(file) : linesOf(file);
    expect(pieces.filter(({ text }) => PRONOUNS.test(text))).toEqual([]);
  });
});

test('no name has a retired word', () => {
  const wrong = sources.flatMap((file) =>
    namesDeclaredIn(file)
      .filter((name) => !KEPT.has(name) && wordsOf(name).some((word) => RETIRED.has(word)))
      .map((name) => `${file}: ${name}`),
  );
  expect(wrong).toEqual([]);
});

test('no two exported names are the same', () => {
  const owners = new Map<string, Set<string>>();
  for (const file of sources.filter((one) => !one.startsWith('test/') && !one.endsWith('.test.ts')))
    for (const name of exportedBy(file)) owners.set(name, (owners.get(name) ?? new Set()).add(file));
  const shared = [...owners].filter(([, where]) => where.size > 1).map(([name, where]) => [name, ...where]);
  expect(shared).toEqual([]);
});

function exportedBy(file: string): string[] {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
  return source.statements.filter(isExported).flatMap((statement) => {
    if (ts.isVariableStatement(statement))
      return statement.declarationList.declarations.map(({ name }) => name.getText(source));
    const name = (statement as { name?: ts.Identifier }).name;
    return name ? [name.text] : [];
  });
}

function isExported(statement: ts.Statement): boolean {
  const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
  return modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
}
