/** What one request may hold. Many servers take no more than 32 texts (Hugging Face's text-embeddings-inference). */
export const MAX_TEXTS = 32;
/** Of UTF-8, of all texts of a request: a token stands for at least one byte. */
export const MAX_BATCH_BYTES = 64 * 1024;

/** The texts in their order, in batches of at most that many texts and bytes; a text above the bytes goes alone. */
export function toBatches(texts: readonly string[]): string[][] {
  const batches: string[][] = [];
  let room = 0;
  for (const text of texts) {
    const bytes = Buffer.byteLength(text);
    const open = batches.at(-1);
    if (open && open.length < MAX_TEXTS && bytes <= room) {
      open.push(text);
      room -= bytes;
    } else {
      batches.push([text]);
      room = MAX_BATCH_BYTES - bytes;
    }
  }
  return batches;
}
