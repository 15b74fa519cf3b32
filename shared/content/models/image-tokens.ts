/** Tokens of an image by OpenAI's rule for GPT-4o ("Images and vision", "Calculating costs"). */

const LOW_DETAIL = 85;
const BASE = 85;
const EACH_TILE = 170;
const TILE = 512;
/** An image is first scaled down to fit into a square of this size, then until its shorter side is at most 768. Pixels. */
const LONGEST = 2_048;
const SHORTEST = 768;
/** Tiles of 2,048 x 768 pixels, the maximum. Images of unknown size count as this large. */
const MOST_TILES = 8;
/** GPT-4o mini counts 33 times as many tokens for the same image, at a correspondingly lower price. */
const MINI_FACTOR = 100 / 3;

interface Image {
  /** An `https:` or data URL. */
  url: string;
  /** `low`, `high` or `auto`; anything else counts as `high`. */
  detail: unknown;
  /** The model that reads it. */
  model: string | undefined;
}

interface Size {
  width: number;
  height: number;
}

/** Tokens of an image. The size of a data URL is read from its first bytes; the data never counts as text. Takes microseconds. */
export function imageTokens({ url, detail, model }: Image): number {
  const factor = model?.includes('4o-mini') ? MINI_FACTOR : 1;
  if (detail === 'low') return Math.ceil(LOW_DETAIL * factor);
  const size = sizeOf(url);
  const tiles = size ? Math.min(MOST_TILES, tilesOf(size)) : MOST_TILES;
  return Math.ceil((BASE + EACH_TILE * tiles) * factor);
}

function tilesOf({ width, height }: Size): number {
  const fit = Math.min(1, LONGEST / Math.max(width, height));
  const scale = fit * Math.min(1, SHORTEST / (Math.min(width, height) * fit));
  return Math.ceil((width * scale) / TILE) * Math.ceil((height * scale) / TILE);
}

/** How much of an image is searched for its size, in base64 characters. A JPEG may have several kilobytes (a preview, colours) before it. */
const HEAD_CHARACTERS = 128 * 1024;

function sizeOf(url: string): Size | undefined {
  if (!/^data:/i.test(url)) return undefined;
  const comma = url.slice(0, 200).indexOf(',');
  if (comma < 0) return undefined;
  const head = Buffer.from(url.slice(comma + 1, comma + 1 + HEAD_CHARACTERS), 'base64');
  const size = pngSize(head) ?? gifSize(head) ?? webpSize(head) ?? jpegSize(head);
  return size && size.width > 0 && size.height > 0 ? size : undefined;
}

function pngSize(bytes: Buffer): Size | undefined {
  if (bytes.length < 24 || bytes.toString('latin1', 1, 4) !== 'PNG') return undefined;
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

function gifSize(bytes: Buffer): Size | undefined {
  if (bytes.length < 10 || bytes.toString('latin1', 0, 3) !== 'GIF') return undefined;
  return { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) };
}

function webpSize(bytes: Buffer): Size | undefined {
  if (bytes.length < 30 || bytes.toString('latin1', 8, 12) !== 'WEBP') return undefined;
  switch (bytes.toString('latin1', 12, 16)) {
    case 'VP8X':
      return { width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
    case 'VP8L': {
      const bits = bytes.readUInt32LE(21);
      return { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
    }
    case 'VP8 ':
      return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
    default:
      return undefined;
  }
}

/** A JPEG is a sequence of segments; the frame segments (C0 to CF, except three tables) contain the size. */
function jpegSize(bytes: Buffer): Size | undefined {
  if (bytes.length < 4 || bytes.readUInt16BE(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 9 <= bytes.length && bytes[at] === 0xff;) {
    const kind = bytes[at + 1] ?? 0;
    const frame = kind >= 0xc0 && kind <= 0xcf && kind !== 0xc4 && kind !== 0xc8 && kind !== 0xcc;
    if (frame) return { width: bytes.readUInt16BE(at + 7), height: bytes.readUInt16BE(at + 5) };
    at += 2 + bytes.readUInt16BE(at + 2);
  }
  return undefined;
}
