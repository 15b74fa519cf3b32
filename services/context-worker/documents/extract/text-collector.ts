import { UnreadableDocument } from './unreadable-document.ts';

/** The text of a document as it is found. */
export interface TextCollector {
  /** Throws `UnreadableDocument` once there is more than is allowed. */
  add(text: string): void;
  text(): string;
}

/** `maxBytes`: of all text, as UTF-8. */
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
