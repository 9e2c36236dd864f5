/**
 * Prints every frame to standard error if DBSYNC_DEBUG is 1, like the debug build of the original driver. Frames
 * contain no keys.
 */

/**
 * The maximum number of bytes shown per chunk, enough for the text of a typical signed frame and the beginning of its
 * signature.
 */
const SHOWN_BYTES_MAX = 256;

/** Prints sent and received bytes. @param bytes  a complete frame if sent; a chunk of the stream if received */
export type FrameTracer = (address: string, direction: "sent" | "received", bytes: Buffer) => void;

/** Returns a tracer; null unless DBSYNC_DEBUG is 1. */
export function frameTracer(variables: Readonly<Record<string, string | undefined>>): FrameTracer | null {
  if (variables["DBSYNC_DEBUG"] !== "1") return null;
  return (address, direction, bytes) => {
    const arrow = direction === "sent" ? "->" : "<-";
    process.stderr.write(`dbsync ${arrow} ${address} ${bytes.length} bytes: ${escapeBytes(bytes)}\n`);
  };
}

/** Returns printable ASCII unchanged and other bytes as `\xNN`, truncated at the limit. */
function escapeBytes(bytes: Buffer): string {
  let text = "";
  for (const byte of bytes.subarray(0, SHOWN_BYTES_MAX)) {
    const printable = byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
    text += printable ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return bytes.length > SHOWN_BYTES_MAX ? `${text}…` : text;
}
