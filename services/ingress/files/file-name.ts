/** Control and format characters (line breaks, bidirectional overrides), lone surrogates, and line and paragraph separators. */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}]+/gu;
const MAX_CHARACTERS = 255;

/** The file name that the user sees: one line without folders. It is only a label; nothing is stored under it. */
export function safeFileName(name: string | undefined): string {
  const [last = ''] = (name ?? '').split(/[/\\]/).slice(-1);
  const safe = Array.from(last.replaceAll(UNSAFE, ' ').trim()).slice(0, MAX_CHARACTERS).join('');
  return /^\.*$/.test(safe) ? 'file' : safe;
}

/** Builds the `Content-Disposition` header (RFC 6266): an ASCII name for old clients, and the exact one. `name` must be safe. */
export function attachmentHeader(name: string): string {
  const ascii = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
