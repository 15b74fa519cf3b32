import { Parser } from 'htmlparser2';
import { UnreadableDocument } from './unreadable-document.ts';

/** The nesting limit of browsers. Word's nested tables stay below it too. */
const MAX_DEPTH = 512;
/** Characters that are parsed at once; the handler can stop the parser after each piece. */
const PIECE = 65_536;

/**
 * Throws `too_deep` at the first element of HTML or XML that is nested too deeply, because the parsers take time quadratic in the depth.
 * In HTML, elements that HTML closes implicitly are closed here too, so unclosed paragraphs do not count as nested.
 */
export function checkNesting(markup: string, { xmlMode }: { xmlMode: boolean }): void {
  let depth = 0;
  const handler = {
    onopentagname: () => {
      depth += 1;
      if (depth > MAX_DEPTH) throw new UnreadableDocument('too_deep');
    },
    onclosetag: () => {
      depth -= 1;
    },
  };
  const parser = new Parser(handler, { xmlMode });
  for (let at = 0; at < markup.length; at += PIECE) parser.write(markup.slice(at, at + PIECE));
  parser.end();
}
