import { UnreadableDocument } from './unreadable-document.ts';

/** Collects the text of a document while it is read. */
export interface TextCollector {
  /** Throws `UnreadableDocument` when the text exceeds the limit. */
  add(text: string): void;
  text(): string;
}

/** `maxBytes`: the limit for the whole text, in UTF-8. */
export function createTextCollector(maxBytes: number): TextCollector {
  const found: string[] = [];
  let bytes = 0;
  return {
    add: (text) => {
      bytes += Buffer.byteLength(text);
      if (bytes > maxBytes) throw new UnreadableDocument('too_much_text');
      found.push(text);
    },
    text: () => found.join(''),
  };
}
