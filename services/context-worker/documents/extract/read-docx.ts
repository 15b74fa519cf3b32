import mammoth from 'mammoth';
import { createRequire } from 'node:module';
import { checkNesting } from './check-nesting.ts';
import { type TextCollector } from './text-collector.ts';

/** The text of a DOCX: its paragraphs, including those of tables, footnotes and endnotes, separated by blank lines. */
export async function readDocx(bytes: Uint8Array, into: TextCollector): Promise<void> {
  const { openZip } = createRequire(import.meta.url)('mammoth/lib/unzip.js') as Unzip;
  const zip = await openZip({ buffer: Buffer.from(bytes) });
  const { value } = await mammoth.extractRawText(asInput({ ...zip, read: checked(zip) }));
  into.add(value);
}

/** The archive that mammoth 1.13 reads a document from. It accepts an open one as `file`. Its types declare neither. */
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

/** Checks the nesting of each part before mammoth parses it, because mammoth builds the whole tree. */
function checked(zip: Zip): Zip['read'] {
  return async (name, encoding) => {
    const part = await zip.read(name, encoding);
    if (typeof part === 'string') checkNesting(part, { xmlMode: true });
    return part;
  };
}
