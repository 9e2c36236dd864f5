/** Commands of many clients that go to the server together: their bytes are put side by side, without a string for each. */
import type { Socket } from "node:net";
import { commandLength, putCommand } from "../../../protocol/resp/resp-writer.js";
import type { Argv } from "./connection-state.js";

/** What is kept for the next commands; longer ones are given back. */
const ROOM = 32 * 1024;

export class CommandBuffer {
  /** Not made for connections on which nothing is sent. */
  #bytes: Buffer | null = null;
  #end = 0;

  add(argv: Argv): void {
    const bytes = this.#withRoom(commandLength(argv));
    this.#end = putCommand(bytes, this.#end, argv);
  }

  writeTo(socket: Socket): void {
    const bytes = this.#bytes;
    if (bytes === null) return;
    socket.write(bytes.subarray(0, this.#end));
    this.#end = 0;
    // What the system has not taken is still read from.
    if (socket.writableLength > 0 || bytes.length > ROOM) this.#bytes = null;
  }

  #withRoom(length: number): Buffer {
    const bytes = this.#bytes;
    const needed = this.#end + length;
    if (bytes !== null && needed <= bytes.length) return bytes;
    const larger = Buffer.allocUnsafeSlow(Math.max(ROOM, bytes === null ? needed : 2 * needed));
    bytes?.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
    return larger;
  }
}
