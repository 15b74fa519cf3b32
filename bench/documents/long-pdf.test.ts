import { describe, expect, test } from '@jest/globals';
import { readPdf } from '../../services/context-worker/documents/extract/read-pdf.ts';
import { createTextCollector } from '../../services/context-worker/documents/extract/text-collector.ts';
import { longPdf } from './long-pdf.ts';

async function textOf(bytes: Buffer): Promise<string> {
  const collector = createTextCollector(1_000_000);
  await readPdf(new Uint8Array(bytes), collector);
  return collector.text();
}

describe('a long PDF', () => {
  test('has the requested number of pages, full of words, and its answer once', async () => {
    const { bytes, answer } = longPdf(3, 1);
    const text = await textOf(bytes);
    const pages = text.split('\n\n').filter((page) => page.trim() !== '');
    expect(pages).toHaveLength(3);
    for (const page of pages) expect(page.split(/\s+/).length).toBeGreaterThan(500);
    expect(text.split(answer)).toHaveLength(2);
  });

  test('is the same for the same seed, and different for different seeds', () => {
    expect(longPdf(2, 1)).toEqual(longPdf(2, 1));
    expect(longPdf(2, 1).bytes.equals(longPdf(2, 2).bytes)).toBe(false);
  });
});
