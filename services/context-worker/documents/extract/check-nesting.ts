import { Parser } from 'htmlparser2';
import { UnreadableDocument } from './unreadable-document.ts';

/** As deep as browsers nest elements. Word nests tables less deeply than that, too. */
const MAX_DEPTH = 512;
/** Characters that are parsed at once: the parser is asked in between whether to go on. */
const PIECE = 65_536;

/**
 * Throws `too_deep` at the first element of HTML or XML that is nested too deeply: what the parsers do with it takes a time that
 * grows with the square of the depth. In HTML, elements close that HTML closes by itself, so unclosed paragraphs are not nested.
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
