import { constants, deflateRawSync, deflateSync } from 'node:zlib';

/** Small real documents, generated here so that the repository holds no binary files. */

/** A PDF with one page for each text. The texts must be plain ASCII without parentheses or backslashes. */
export function pdfOf(...pages: readonly string[]): Buffer {
  return pdfOfContents(pages.map((text) => Buffer.from(`BT /F1 12 Tf 72 720 Td (${text}) Tj ET`)));
}

/** A PDF with one page for each content stream, compressed. */
export function pdfOfContents(contents: readonly Buffer[]): Buffer {
  return pdfOfStreams(contents.map((content) => deflateSync(content)));
}

function pdfOfStreams(streams: readonly Buffer[]): Buffer {
  const font = 3;
  const kids = streams.map((_, i) => `${4 + 2 * i} 0 R`).join(' ');
  const objects: Buffer[] = [
    Buffer.from('<< /Type /Catalog /Pages 2 0 R >>'),
    Buffer.from(`<< /Type /Pages /Kids [${kids}] /Count ${streams.length} >>`),
    Buffer.from('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'),
    ...streams.flatMap((stream, i) => [
      Buffer.from(
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents ${5 + 2 * i} 0 R ` +
          `/Resources << /Font << /F1 ${font} 0 R >> >> >>`,
      ),
      Buffer.concat([
        Buffer.from(`<< /Length ${stream.length} /Filter /FlateDecode >>\nstream\n`),
        stream,
        Buffer.from('\nendstream'),
      ]),
    ]),
  ];
  return withXref(objects);
}

/** A PDF that cannot be opened without its password (ISO 32000-1, 7.6.3: the standard security handler). */
export function lockedPdf(): Buffer {
  const plain = pdfOf('Nobody reads this.').toString('latin1');
  const key = (fill: string) => `<${fill.repeat(32)}>`;
  const encrypt = `/Encrypt << /Filter /Standard /V 1 /R 2 /P -44 /O ${key('4f')} /U ${key('55')} >>`;
  const locked = plain.replace('/Root 1 0 R', `/Root 1 0 R ${encrypt} /ID [${key('49')} ${key('49')}]`);
  return Buffer.from(locked, 'latin1');
}

/** The first bytes of a password-protected DOCX as Office writes it. Readers look no further than these. */
export function lockedDocx(): Buffer {
  return Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(4_096)]);
}

function withXref(objects: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [Buffer.from('%PDF-1.7\n')];
  const offsets: number[] = [];
  let at = parts[0]?.length ?? 0;
  objects.forEach((body, i) => {
    offsets.push(at);
    const object = Buffer.concat([Buffer.from(`${i + 1} 0 obj\n`), body, Buffer.from('\nendobj\n')]);
    parts.push(object);
    at += object.length;
  });
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const size = objects.length + 1;
  const trailer = `trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${at}\n%%EOF\n`;
  return Buffer.concat([...parts, Buffer.from(`xref\n0 ${size}\n0000000000 65535 f \n${rows}${trailer}`)]);
}

const CONTENT_TYPES =
  '<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">' +
  '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>' +
  '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>';
const RELATIONSHIPS =
  '<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">' +
  '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>';

/** A DOCX with these paragraphs. */
export function docxOf(...paragraphs: readonly string[]): Buffer {
  const body = paragraphs.map((text) => `<w:p><w:r><w:t>${text}</w:t></w:r></w:p>`).join('');
  return docxOfXml(
    `<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>${body}</w:body></w:document>`,
  );
}

export function docxOfXml(xml: string): Buffer {
  return docxAround({ data: deflateRawSync(xml), bytes: Buffer.byteLength(xml) });
}

const MEGABYTE = 1024 * 1024;

/** A DOCX of a few kilobytes whose main part unpacks to `megabytes` of zeros. */
export function docxBomb(megabytes: number): Buffer {
  return docxAround({ data: zeros(megabytes), bytes: megabytes * MEGABYTE });
}

/** A PDF of a few kilobytes whose page content unpacks to `megabytes` of zeros. */
export function pdfBomb(megabytes: number): Buffer {
  const zlibHeader = Buffer.from([0x78, 0x9c]);
  return pdfOfStreams([Buffer.concat([zlibHeader, zeros(megabytes)])]);
}

/** Deflated zeros: one compressed megabyte, repeated, and an empty final block. */
function zeros(megabytes: number): Buffer {
  const block = deflateRawSync(Buffer.alloc(MEGABYTE), { finishFlush: constants.Z_FULL_FLUSH });
  return Buffer.concat([...Array.from({ length: megabytes }, () => block), deflateRawSync('')]);
}

interface Entry {
  data: Buffer;
  /** Unpacked size. */
  bytes: number;
}

function docxAround(main: Entry): Buffer {
  const packed = (text: string): Entry => ({ data: deflateRawSync(text), bytes: Buffer.byteLength(text) });
  return zipOf([
    ['[Content_Types].xml', packed(CONTENT_TYPES)],
    ['_rels/.rels', packed(RELATIONSHIPS)],
    ['word/document.xml', main],
  ]);
}

/** A ZIP archive of deflated entries (PKWARE APPNOTE 4.3), without checksums: none of our readers checks them. */
function zipOf(entries: readonly (readonly [string, Entry])[]): Buffer {
  const [files, directory]: [Buffer[], Buffer[]] = [[], []];
  let at = 0;
  for (const [path, { data, bytes }] of entries) {
    const name = Buffer.from(path);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0); // version needed to extract
    common.writeUInt16LE(8, 4); // method: deflate
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(bytes, 18);
    common.writeUInt16LE(name.length, 22);
    const made = Buffer.from([20, 0]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.from('PK\x01\x02'), made, common, tail, name);
    const file = Buffer.concat([Buffer.from('PK\x03\x04'), common, name, data]);
    files.push(file);
    at += file.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...files, list, end]);
}
