import type { ClientSocket } from "../../daemon/net/connections/client-socket.js";
import type { LongAnswer } from "../../daemon/net/connections/dialect.js";
import { joined, lengthOf, type Piece } from "./messages/json-answers.js";

const BUFFER_BYTES = 64 * 1024;
/** The number of bytes written in a turn, before other clients are served. */
const TURN_BYTES = 2 * 1024 * 1024;

/**
 * The output of long answers, piece by piece through one buffer, which all connections of a listener share. Joining the
 * pieces would copy the answer, and Node would copy the joined string again into a buffer. Writing everything in one
 * turn would delay other clients.
 */
export class PieceOutput {
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

  /** Returns an answer that consists of these pieces. @param all  in ASCII */
  long(all: readonly Piece[]): LongAnswer {
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
   * Writes pieces until the system accepts no more bytes, or the limit of a turn is reached.
   * @returns whether all pieces have been written; if not, call it again with the same `pieces`
   */
  #write(socket: ClientSocket, pieces: Pieces, sent: (bytes: Buffer) => void): boolean {
    for (let budget = TURN_BYTES; budget > 0 && socket.writableLength === 0 && !pieces.isEmpty; ) {
      const end = pieces.fill(this.#buffer);
      budget -= end;
      const bytes = this.#buffer.subarray(0, end);
      sent(bytes);
      socket.write(bytes);
      // Bytes that the system has not accepted stay in their buffer until it does.
      if (socket.writableLength > 0) this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    }
    return pieces.isEmpty;
  }
}

/** The part of an answer that is still to be written. */
export class Pieces {
  readonly #pieces: readonly Piece[];
  #next = 0;
  /** The next piece, or null if it has not been joined yet. */
  #piece: string | null = null;
  /** The number of characters of the next piece that have been written. */
  #at = 0;
  #left: number;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
    this.#left = lengthOf(pieces);
  }

  /** The number of characters that are still to be written. */
  get left(): number {
    return this.#left;
  }

  get isEmpty(): boolean {
    return this.#left === 0;
  }

  /** Fills a buffer. @returns the number of bytes */
  fill(buffer: Buffer): number {
    let end = 0;
    while (end < buffer.length && this.#next < this.#pieces.length) {
      const piece = (this.#piece ??= joined(this.#pieces[this.#next] as Piece));
      const room = buffer.length - end;
      const remaining = piece.length - this.#at;
      const part =
        remaining === piece.length && remaining <= room ? piece : piece.substring(this.#at, this.#at + room);
      end += buffer.write(part, end, "latin1");
      if (part.length === remaining) {
        this.#next++;
        this.#at = 0;
        this.#piece = null;
      } else this.#at += part.length;
    }

    this.#left -= end;
    return end;
  }
}
