/**
 * Writes long values through one buffer, which all connections of a listener share. Otherwise V8 would join a value
 * with the text around it, and Node would copy the result into a new buffer for each write: two copies in newly
 * allocated memory.
 */

import type { ClientSocket } from "../../daemon/net/connections/client-socket.js";
import type { LongAnswer } from "../../daemon/net/connections/dialect.js";
import type { ByteString } from "../../protocol/byte-string.js";

/** The minimum length of a value that is written separately, in bytes. Node writes shorter strings from its stack. */
export const LONG_BYTES = 16 * 1024;
/** The number of bytes of a value that are written in one call. */
const PART_BYTES = 64 * 1024;
/** Maximum bytes of the text before and after the value. */
const OVERHEAD_BYTES_MAX = 1024;

export class SharedOutput {
  #buffer = Buffer.allocUnsafeSlow(PART_BYTES + OVERHEAD_BYTES_MAX);

  /** Returns an answer that is written with `write`, after all earlier answers. */
  long(before: ByteString, value: ByteString, after: ByteString): LongAnswer {
    const write: LongAnswer["write"] = (socket, sent) => {
      sent(before + value + after);
      this.write(socket, before, value, after);
      return true;
    };
    return { kind: "long", left: 0, write };
  }

  /**
   * Writes a value.
   * @param before  ASCII text before the value; at most `OVERHEAD_BYTES_MAX` bytes together with `after`
   * @returns the result of `socket.write`
   */
  write(socket: ClientSocket, before: ByteString, value: ByteString, after: ByteString): boolean {
    let at = 0;
    let head = before;
    while (socket.writableLength === 0) {
      const part = value.length <= PART_BYTES ? value : value.substring(at, at + PART_BYTES);
      at += part.length;
      const buffer = this.#buffer;
      let end = head === "" ? 0 : buffer.write(head, 0, "latin1");
      end += buffer.write(part, end, "latin1");
      if (at === value.length) end += buffer.write(after, end, "latin1");
      const isAccepted = socket.write(buffer.subarray(0, end));
      // Bytes that the system has not accepted stay in their buffer until it does.
      if (socket.writableLength > 0) this.#buffer = Buffer.allocUnsafeSlow(buffer.length);
      if (at === value.length) return isAccepted;
      head = "";
    }
    return socket.write(head + value.substring(at) + after, "latin1");
  }
}
