import mammoth from 'mammoth';
import { type TextCollector } from './text-collector.ts';

/** The text of a DOCX: its paragraphs, those of tables, foot- and endnotes too, with a blank line between. */
export async function readDocx(bytes: Uint8Array, into: TextCollector): Promise<void> {
  const { value } = await mammoth.extractRawText({ buffer: Buffer.from(bytes) });
  into.add(value);
}
