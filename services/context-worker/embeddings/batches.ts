/** The limit of one request. Many servers accept at most 32 texts (Hugging Face's text-embeddings-inference). */
export const MAX_TEXTS = 32;
/** The limit for all texts of a request, in UTF-8. It also limits the tokens: a token has at least one byte. */
export const MAX_BATCH_BYTES = 64 * 1024;

/** The texts, in order, in batches within both limits. A text over the byte limit gets its own batch. */
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
