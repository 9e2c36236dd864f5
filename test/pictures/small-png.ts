/**
 * Reduces the number of colours in a screenshot of a page. Pages have few colours, but antialiasing adds many more.
 */
import { deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");
const COLOURS_MAX = 256;
const INDEXED = 3;

interface Picture {
  readonly width: number;
  readonly height: number;
  /** The colours of the pixels as 0xRRGGBB, row by row. */
  readonly pixels: Uint32Array;
}

/**
 * Returns a picture with fewer colours.
 * @param png  a picture in the format of Chromium: 8 bits per channel, with or without alpha, not interlaced
 */
export function inFewColours(png: Buffer): Buffer {
  const { width, height, pixels } = read(png);
  const palette = mostFrequent(pixels);
  const nearest = new Map<number, number>(palette.map((colour, index) => [colour, index]));

  const rows = Buffer.alloc((width + 1) * height);
  for (const [place, colour] of pixels.entries()) {
    let index = nearest.get(colour);
    if (index === undefined) {
      index = nearestOf(palette, colour);
      nearest.set(colour, index);
    }
    rows[place + Math.floor(place / width) + 1] = index;
  }

  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, INDEXED], 8);

  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]));
  const pixelData = deflateSync(rows, { level: 9 });
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", head),
    chunk("PLTE", colours),
    chunk("IDAT", pixelData),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function read(png: Buffer): Picture {
  const data: Buffer[] = [];
  let head = Buffer.alloc(0);
  for (let at = SIGNATURE.length; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const type = png.toString("latin1", at + 4, at + 8);
    const body = png.subarray(at + 8, at + 8 + length);
    if (type === "IHDR") head = Buffer.from(body);
    if (type === "IDAT") data.push(body);
    at += length + 12;
  }

  const [width, height] = [head.readUInt32BE(0), head.readUInt32BE(4)];
  const channels = head[9] === 6 ? 4 : 3;
  const bytes = unfiltered(inflateSync(Buffer.concat(data)), width * channels, channels);
  const pixels = new Uint32Array(width * height);
  for (let place = 0; place < pixels.length; place++) pixels[place] = bytes.readUIntBE(place * channels, 3);
  return { width, height, pixels };
}

/**
 * Reverses the filters. Each row begins with the type of its filter, which predicts a byte from the bytes to the left
 * and above. Source: PNG, third edition, 9.
 */
function unfiltered(raw: Buffer, rowBytes: number, channels: number): Buffer {
  const rows = raw.length / (rowBytes + 1);
  const bytes = Buffer.alloc(rows * rowBytes);
  for (let row = 0; row < rows; row++) {
    const filter = raw[row * (rowBytes + 1)] as number;
    for (let column = 0; column < rowBytes; column++) {
      const at = row * rowBytes + column;
      const left = column < channels ? 0 : (bytes[at - channels] as number);
      const up = row === 0 ? 0 : (bytes[at - rowBytes] as number);
      const corner = row === 0 || column < channels ? 0 : (bytes[at - rowBytes - channels] as number);
      const predicted = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter] as number;
      bytes[at] = (raw[row * (rowBytes + 1) + 1 + column] as number) + predicted;
    }
  }
  return bytes;
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)] as const;
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

function mostFrequent(pixels: Uint32Array): number[] {
  const counts = new Map<number, number>();
  for (const colour of pixels) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  return sorted.slice(0, COLOURS_MAX).map(([colour]) => colour);
}

function nearestOf(palette: readonly number[], colour: number): number {
  let best = 0;
  let smallest = Number.POSITIVE_INFINITY;
  for (const [index, other] of palette.entries()) {
    const distance = [16, 8, 0].reduce(
      (sum, shift) => sum + (((other >> shift) & 255) - ((colour >> shift) & 255)) ** 2,
      0,
    );
    if (distance < smallest) [best, smallest] = [index, distance];
  }
  return best;
}

function chunk(type: string, body: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(type, "latin1"), body, Buffer.alloc(4)]);
  bytes.writeUInt32BE(body.length, 0);
  bytes.writeUInt32BE(crc(bytes.subarray(4, -4)), bytes.length - 4);
  return bytes;
}

function crc(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return (sum ^ 0xffffffff) >>> 0;
}
