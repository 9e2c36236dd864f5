/**
 * DBSYNC_DEBUG=1: every frame on standard error, as the original's debug build does. Keys are in no frame.
 */

/** Maximum bytes of a chunk in a line; a signed frame shows its text and the beginning of its signature. */
const SHOWN_BYTES_MAX = 256;

/** @param bytes  a complete frame when sent; a chunk of the stream when received */
export type FrameTracer = (address: string, direction: "sent" | "received", bytes: Buffer) => void;

/** Returns the tracer that the environment asks for; null: none. */
export function frameTracer(variables: Readonly<Record<string, string | undefined>>): FrameTracer | null {
  if (variables["DBSYNC_DEBUG"] !== "1") return null;
  return (address, direction, bytes) => {
    const arrow = direction === "sent" ? "->" : "<-";
    process.stderr.write(`dbsync ${arrow} ${address} ${bytes.length} bytes: ${escapeBytes(bytes)}\n`);
  };
}

/** Printable ASCII unchanged, other bytes as `\xNN`; truncated at a limit. */
function escapeBytes(bytes: Buffer): string {
  let text = "";
  for (const byte of bytes.subarray(0, SHOWN_BYTES_MAX)) {
    const printable = byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
    text += printable ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return bytes.length > SHOWN_BYTES_MAX ? `${text}…` : text;
}
