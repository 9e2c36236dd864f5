/** A connection to a server that answers requests in order. Requests are sent in batches, each in one write. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { ByteString } from "../../protocol/byte-string.js";

const READ_BYTES = 64 * 1024;

const CLOSED = "the server closed the connection";

/** The parser that divides what a server sends into answers. */
export interface AnswerReader<Answer> {
  /** Reads bytes. @returns the answers that are now complete */
  push(chunk: Buffer): readonly Answer[];
}

/** Requests that were sent together, and their answers so far. */
interface Batch<Answer> {
  readonly expected: number;
  readonly answers: Answer[];
  resolve(answers: Answer[]): void;
  reject(reason: Error): void;
}

export class BatchConnection<Answer> implements Disposable {
  readonly #socket: Socket;
  readonly #reader: AnswerReader<Answer>;
  /** The batches without all their answers, the oldest first. */
  readonly #waiting: Batch<Answer>[] = [];

  private constructor(port: number, reader: AnswerReader<Answer>) {
    this.#reader = reader;
    // The socket reads into one fixed buffer, since Node would otherwise allocate a new one for every read.
    const onread = {
      buffer: Buffer.allocUnsafe(READ_BYTES),
      callback: (length: number, chunk: Uint8Array) => {
        this.#receive((chunk as Buffer).subarray(0, length));
        return true;
      },
    };
    const socket = connect({ host: "127.0.0.1", port, noDelay: true, onread });
    this.#socket = socket;
    socket.on("close", () => this.#fail(new Error(CLOSED)));
    socket.on("error", (reason) => this.#fail(reason));
  }

  static async open<Answer>(port: number, reader: AnswerReader<Answer>): Promise<BatchConnection<Answer>> {
    const connection = new BatchConnection(port, reader);
    await once(connection.#socket, "connect");
    return connection;
  }

  /** Whether either side has closed the connection. */
  get closed(): boolean {
    return this.#socket.destroyed;
  }

  /** Sends requests. @param expected  the number of answers @returns the answers */
  send(requests: ByteString, expected: number): Promise<Answer[]> {
    if (expected === 0) return Promise.resolve([]);
    if (this.closed) return Promise.reject(new Error(CLOSED));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ expected, answers: [], resolve, reject });
      this.#socket.write(requests, "latin1");
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    for (const answer of this.#reader.push(chunk)) {
      const [batch] = this.#waiting;
      batch?.answers.push(answer);
      if (batch === undefined || batch.answers.length < batch.expected) continue;
      this.#waiting.shift();
      batch.resolve(batch.answers);
    }
  }

  #fail(reason: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
  }
}
