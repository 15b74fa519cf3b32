import { type OperatorContext } from '../context.ts';
import { needing, type Stores, withStores } from '../stores.ts';
import { eachLetter, hasReason } from './letters.ts';
import { toJsonLine } from '../output.ts';
import { type ListedLetter, renderList, toListed } from './render.ts';
import { createReplayMarks } from './replay-marks.ts';

interface ListOptions {
  reason?: string;
  limit?: number;
  json?: true;
}

export async function listLetters(
  { settings, print, complain }: OperatorContext,
  options: ListOptions,
): Promise<void> {
  const letters = await withStores(settings(), (stores) => collect(stores, options));
  if (options.json) for (const letter of letters) print(toJsonLine(letter));
  else if (letters.length > 0) print(renderList(letters).join('\n'));
  if (letters.length === 0) (options.json ? complain : print)(noneOf(options));
}

async function collect(stores: Stores, { reason, limit }: ListOptions): Promise<ListedLetter[]> {
  const letters: ListedLetter[] = [];
  await eachLetter(stores, (letter) => {
    if (!hasReason(letter, reason)) return;
    letters.push(toListed(letter));
    if (limit !== undefined && letters.length > limit) letters.shift();
  });
  const marks = createReplayMarks(stores.redis, stores.keys);
  const replayed = await needing(stores.addresses.redis, marks.all(letters.map(({ id }) => id)));
  return letters.map((letter, index) => ({ ...letter, replayedAt: replayed[index] ?? null }));
}

function noneOf({ reason }: ListOptions): string {
  return reason === undefined
    ? 'There are no dead letters.'
    : `There are no dead letters whose reason contains ${toJsonLine(reason)}.`;
}
