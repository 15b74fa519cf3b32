/**
 * The text of bytes in that charset; of such that begin with a UTF-16 byte order mark, in UTF-16. Throws a `RangeError`
 * for an unknown charset, a `TypeError` for what is not text in it.
 */
export function decodeText(bytes: Uint8Array, charset = 'utf-8'): string {
  return new TextDecoder(utf16Of(bytes) ?? charset, { fatal: true }).decode(bytes);
}

/** Which UTF-16 the bytes are by their byte order mark. */
export function utf16Of([first, second]: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : undefined;
}
