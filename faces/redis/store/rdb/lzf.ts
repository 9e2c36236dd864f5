/** LZF decompression: Redis compresses long strings with LZF. Source: the format of liblzf 3.6. */
import { MalformedRdb } from "./malformed-rdb.js";

/** A control byte below this value is the number of literal bytes minus one; any other begins a back reference. */
const LITERAL_MAX = 32;
/** A back reference with this length in its control byte has another length byte. */
const LONG = 7;
/**
 * The maximum number of bytes to which a compressed byte can expand: the three bytes of a long back reference encode
 * up to 7 + 255 + 2 bytes.
 */
const EXPANSION_MAX = (LONG + 255 + 2) / 3;

/**
 * @param size the length of the result
 * @throws MalformedRdb if the result has another size, or a back reference points before the beginning
 */
export function decompressLzf(input: Uint8Array, size: number): Buffer {
  // Checked before memory is allocated, because the sender states the size.
  if (size > input.length * EXPANSION_MAX)
    throw new MalformedRdb("a compressed string is too short for its size");
  const output = Buffer.alloc(size);
  let from = 0;
  let to = 0;
  while (from < input.length) {
    const control = input[from++] as number;
    if (control < LITERAL_MAX) {
      const end = from + control + 1;
      if (end > input.length || to + control + 1 > size)
        throw new MalformedRdb("a compressed string is truncated");
      output.set(input.subarray(from, end), to);
      to += control + 1;
      from = end;
      continue;
    }
    let length = (control >> 5) + 2;
    if (length === LONG + 2) length += input[from++] ?? 0;
    const back = ((control & 0x1f) << 8) + (input[from++] ?? 0) + 1;
    if (from > input.length || back > to || to + length > size)
      throw new MalformedRdb("a compressed string refers to bytes before its beginning");
    // Copied byte by byte, because a back reference may overlap its own output.
    for (const end = to + length; to < end; to++) output[to] = output[to - back] as number;
  }
  if (to !== size) throw new MalformedRdb("a compressed string has a different size than stated");
  return output;
}
