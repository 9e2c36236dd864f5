/**
 * Long answers on their way to a client, piece by piece through one buffer, the same for all of a listener: a string of all pieces would
 * be a copy more, and so would the buffer that Node makes for it; and to hand over all at once would hold up others.
 */
import type { ClientSocket } from "../../net/connections/client-socket.js";
import type { LongAnswer } from "../../net/connections/dialect.js";
import { lengthOf } from "./messages/answers.js";

const BUFFER_BYTES = 64 * 1024;
/** What is handed over before others get their turn. */
const TURN_BYTES = 2 * 1024 * 1024;

export class PieceOutput {
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

  /** @param all  ASCII */
  long(all: readonly string[]): LongAnswer {
    const pieces = new Pieces(all);
    return {
      kind: "long",
      get left() {
        return pieces.left;
      },
      write: (socket, sent) => this.#write(socket, pieces, sent),
    };
  }

  /**
   * Writes pieces as long as the system takes them, and no more than others can wait for.
   * @returns whether all have been written; if not they are to be written again, what was written is gone from them
   */
  #write(socket: ClientSocket, pieces: Pieces, sent: (bytes: Buffer) => void): boolean {
    for (let left = TURN_BYTES; left > 0 && socket.writableLength === 0 && !pieces.isEmpty; ) {
      const end = pieces.fill(this.#buffer);
      left -= end;
      const bytes = this.#buffer.subarray(0, end);
      sent(bytes);
      socket.write(bytes);
      // What the system has not taken stays where it is until it does.
      if (socket.writableLength > 0) this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    }
    return pieces.isEmpty;
  }
}

/** What is still to be written of an answer. */
export class Pieces {
  readonly #pieces: readonly string[];
  #next = 0;
  /** Characters of the next piece that are written. */
  #at = 0;
  #left: number;

  constructor(pieces: readonly string[]) {
    this.#pieces = pieces;
    this.#left = lengthOf(pieces);
  }

  /** Characters. */
  get left(): number {
    return this.#left;
  }

  get isEmpty(): boolean {
    return this.#left === 0;
  }

  /** Takes what a buffer has room for. @returns how many bytes */
  fill(buffer: Buffer): number {
    let end = 0;
    while (end < buffer.length && this.#next < this.#pieces.length) {
      const piece = this.#pieces[this.#next] as string;
      const room = buffer.length - end;
      const rest = piece.length - this.#at;
      const part = rest === piece.length && rest <= room ? piece : piece.substring(this.#at, this.#at + room);
      end += buffer.write(part, end, "latin1");
      if (part.length === rest) {
        this.#next++;
        this.#at = 0;
      } else this.#at += part.length;
    }
    this.#left -= end;
    return end;
  }
}
