import { createHash } from 'node:crypto';
import { type DecodedDocument, decodeDocument, type EncodedDocument } from './decode.ts';

/** A document that came inside a request. `version`: SHA-256 of what was sent, in hex. */
export type InlineDocument = DecodedDocument & { version: string };

/** Throws as `decodeDocument` does. */
export function decodeInline(document: EncodedDocument): InlineDocument {
  const decoded = decodeDocument(document);
  const version = createHash('sha256')
    .update(decoded.format === 'text' ? decoded.text : decoded.bytes)
    .digest('hex');
  return { ...decoded, version };
}
