import { createHash } from 'node:crypto';
import { type DecodedDocument, decodeDocument, type EncodedDocument } from './decode.ts';

/** A document that was sent inside a request. `version`: SHA-256 of its decoded text or bytes, in hex. */
export type InlineDocument = DecodedDocument & { version: string };

/** Throws what `decodeDocument` throws. */
export function decodeInline(document: EncodedDocument): InlineDocument {
  const decoded = decodeDocument(document);
  const version = createHash('sha256')
    .update(decoded.format === 'text' ? decoded.text : decoded.bytes)
    .digest('hex');
  return { ...decoded, version };
}
