/**
 * Decodes bytes in the given charset, or in UTF-16 when they begin with its byte order mark. Throws a `RangeError` for an unknown charset,
 * and a `TypeError` for bytes that are not valid text in it.
 */
export function decodeText(bytes: Uint8Array, charset = 'utf-8'): string {
  return new TextDecoder(utf16Of(bytes) ?? charset, { fatal: true }).decode(bytes);
}

/** The UTF-16 variant by the byte order mark; undefined without one. */
export function utf16Of([first, second]: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : undefined;
}
