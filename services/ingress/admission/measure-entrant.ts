import { setImmediate as nextTurn } from 'node:timers/promises';
import { countAllTokensInTurns } from '../../../shared/content/documents/tokens.ts';
import { measureInTurns } from '../../../shared/content/models/measure-request.ts';
import { createTurns } from '../../../shared/platform/util/turns.ts';
import { type EntrantMeasure } from './estimate.ts';
import { type TakenDocuments } from '../documents/take-documents.ts';

/** Returns a lazy token counter for a user's request. */
export type MeasureEntrant = (user: string, taken: TakenDocuments) => EntrantMeasure;

/**
 * The tokenizer takes hundreds of milliseconds for some texts. It therefore works in slices, one at a time: the event loop turns
 * between slices, and users take turns.
 */
export function createMeasureEntrant(): MeasureEntrant {
  const turns = createTurns({ slots: 1, perKey: 1 });
  return (user, { request, documents }) => {
    const count = (texts: readonly string[]) =>
      countAllTokensInTurns(texts, (slice) =>
        turns.run(user, async () => {
          const tokens = slice();
          await nextTurn();
          return tokens;
        }),
      );
    let documentTexts: Promise<number> | undefined;
    return {
      ...measureInTurns(request, count),
      documentTexts: () =>
        (documentTexts ??= count(
          documents.flatMap(({ content }) => (content.kind === 'inline' ? [content.text] : [])),
        )),
    };
  };
}
