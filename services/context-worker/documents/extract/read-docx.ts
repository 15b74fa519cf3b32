import mammoth from 'mammoth';
import { createRequire } from 'node:module';
import { checkNesting } from './check-nesting.ts';
import { type TextCollector } from './text-collector.ts';

/** The text of a DOCX: its paragraphs, those of tables, foot- and endnotes too, with a blank line between. */
export async function readDocx(bytes: Uint8Array, into: TextCollector): Promise<void> {
  const { openZip } = createRequire(import.meta.url)('mammoth/lib/unzip.js') as Unzip;
  const zip = await openZip({ buffer: Buffer.from(bytes) });
  const { value } = await mammoth.extractRawText(asInput({ ...zip, read: checked(zip) }));
  into.add(value);
}

/** What mammoth 1.13 reads a document from; it takes one that is open already as `file`. Its types tell neither. */
interface Zip {
  exists(name: string): boolean;
  read(name: string, encoding?: string): Promise<string | Uint8Array>;
}
interface Unzip {
  openZip: (input: { buffer: Buffer }) => Promise<Zip>;
}

function asInput(file: Zip) {
  return { file } as unknown as Parameters<typeof mammoth.extractRawText>[0];
}

/** Each part that mammoth is going to parse has its nesting looked at: before that, since mammoth builds all of its tree. */
function checked(zip: Zip): Zip['read'] {
  return async (name, encoding) => {
    const part = await zip.read(name, encoding);
    if (typeof part === 'string') checkNesting(part, { xmlMode: true });
    return part;
  };
}
