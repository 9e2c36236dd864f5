/** The checksum of DUMP payloads and RDB files. */

/** The polynomial ad93d23594c935a9 with its bits reversed, as two halves. */
const POLYNOMIAL_LOW = 0xac4bc9b5;
const POLYNOMIAL_HIGH = 0x95ac9329;

const [LOW, HIGH] = makeTables();

/**
 * Returns the checksum of `bytes` from `start` to `end` as 8 bytes, little-endian: CRC-64 by Jones, reflected, initial
 * value 0, as at the end of a DUMP payload. Check: "123456789" → e9c6d914c4b8d9ca.
 */
export function crc64(bytes: Uint8Array, start = 0, end = bytes.length): Buffer {
  let low = 0;
  let high = 0;
  for (let at = start; at < end; at++) {
    const index = (low ^ (bytes[at] as number)) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ (LOW[index] as number);
    high = (high >>> 8) ^ (HIGH[index] as number);
  }

  const checksum = Buffer.alloc(8);
  checksum.writeInt32LE(low, 0);
  checksum.writeInt32LE(high, 4);
  return checksum;
}

/** Builds the tables of a byte's effect on the checksum, as two halves. */
function makeTables(): [Int32Array, Int32Array] {
  const lows = new Int32Array(256);
  const highs = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let low = byte;
    let high = 0;
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (low & 1) === 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (!isOdd) continue;
      low ^= POLYNOMIAL_LOW;
      high ^= POLYNOMIAL_HIGH;
    }

    lows[byte] = low;
    highs[byte] = high;
  }

  return [lows, highs];
}
