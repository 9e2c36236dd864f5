/**
 * Long values on their way to a client, through one buffer, the same for all of a listener. Left to itself the engine joins
 * a value with what stands around it, and Node copies that into a buffer of its own for each write: two copies, in new memory.
 */

import type { ClientSocket } from "../../net/connections/client-socket.js";
import type { LongAnswer } from "../../net/connections/dialect.js";
import type { ByteString } from "../../protocol/byte-string.js";

/** Shorter values are joined with what stands around them: Node has room on its stack for writes of so many bytes. */
export const LONG_BYTES = 16 * 1024;
/** What is written at once of a value. */
const PART_BYTES = 64 * 1024;
/** Room for what stands before the value, and behind it. */
const AROUND_BYTES_MAX = 1024;

export class SharedOutput {
  #buffer = Buffer.allocUnsafeSlow(PART_BYTES + AROUND_BYTES_MAX);

  /** As `write`, when it is its turn. */
  long(before: ByteString, value: ByteString, behind: ByteString): LongAnswer {
    const write: LongAnswer["write"] = (socket, sent) => {
      sent(before + value + behind);
      this.write(socket, before, value, behind);
      return true;
    };
    return { kind: "long", left: 0, write };
  }

  /**
   * @param before  what stands before the value, ASCII; at most `AROUND_BYTES_MAX` bytes with what stands behind it
   * @returns as `socket.write`
   */
  write(socket: ClientSocket, before: ByteString, value: ByteString, behind: ByteString): boolean {
    let at = 0;
    let head = before;
    while (socket.writableLength === 0) {
      const part = value.length <= PART_BYTES ? value : value.substring(at, at + PART_BYTES);
      at += part.length;
      const buffer = this.#buffer;
      let end = head === "" ? 0 : buffer.write(head, 0, "latin1");
      end += buffer.write(part, end, "latin1");
      if (at === value.length) end += buffer.write(behind, end, "latin1");
      const isTaken = socket.write(buffer.subarray(0, end));
      // What the system has not taken stays where it is until it does.
      if (socket.writableLength > 0) this.#buffer = Buffer.allocUnsafeSlow(buffer.length);
      if (at === value.length) return isTaken;
      head = "";
    }
    return socket.write(head + value.substring(at) + behind, "latin1");
  }
}
