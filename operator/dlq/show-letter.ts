import { type StoredLetter } from '../../shared/jobs/dead-letters.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { needing, withStores } from '../stores.ts';
import { oneLine } from '../terminal-safe.ts';
import { eachLetter } from './letters.ts';
import { letterToJson, renderLetter } from './render.ts';
import { createReplayMarks } from './replay-marks.ts';

/** Throws `CommandFailed` if there is no such dead letter. */
export async function showLetter(
  { settings, print }: OperatorContext,
  id: string,
  options: { json?: true },
): Promise<void> {
  await withStores(settings(), async (stores) => {
    const found: StoredLetter[] = [];
    await eachLetter(stores, (letter) => {
      if (letter.origin === id) found.push(letter);
    });
    const [letter] = found;
    if (!letter) throw new CommandFailed(unknownLetter(id));
    const marks = createReplayMarks(stores.redis, stores.keys);
    const replayedAt = await needing(stores.addresses.redis, marks.get(id));
    print((options.json ? letterToJson : renderLetter)(letter, replayedAt));
  });
}

function unknownLetter(id: string): string {
  return `No dead letter has the id ${oneLine(id)}. \`turnout dlq list\` shows the ids.`;
}
