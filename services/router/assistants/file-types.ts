/** The parts of a document that determine its type. */
export interface TypedDocument {
  name: string;
  mediaType: string;
}

const FORMATS: Readonly<Record<string, RegExp>> = {
  pdf: /^application\/pdf$/,
  docx: /^application\/vnd\.openxmlformats-officedocument\.wordprocessingml\.document$/,
  html: /^(?:text\/html|application\/xhtml\+xml)$/,
};

/** Whether a document has one of an assistant's `file_types`. */
export function isOfType(document: TypedDocument, types: readonly string[]): boolean {
  return types.some((type) => matches(document, type));
}

/** `text` matches every document that needs no parser, that is, none of the other formats. */
function matches({ name, mediaType }: TypedDocument, type: string): boolean {
  const media = mediaType.toLowerCase();
  if (type === 'text') return !Object.values(FORMATS).some((format) => format.test(media));
  const format = Object.hasOwn(FORMATS, type) ? FORMATS[type] : undefined;
  if (format) return format.test(media);
  if (type.endsWith('/*')) return media.startsWith(type.slice(0, -1));
  if (type.includes('/')) return media === type;
  return name.toLowerCase().endsWith(`.${type.replace(/^\./, '')}`);
}
