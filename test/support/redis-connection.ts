/**
 * A bare connection to redis-server for tests, RESP2 until it sends HELLO 3: commands are queued, then sent in one
 * write and answered in order.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { ReplyReader } from "./reply-reader.js";

const READ_BYTES = 64 * 1024;

export class RedisConnection {
  readonly #socket: Socket;
  readonly #reader = new ReplyReader();
  #queued = "";
  /** The number of pending answers. */
  #expected = 0;
  #replies: Reply[] = [];
  #settle: { resolve(replies: Reply[]): void; reject(reason: Error): void } | null = null;

  private constructor(port: number) {
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
    socket.on("close", () => this.#settle?.reject(new Error("redis-server closed the connection")));
    socket.on("error", (reason) => this.#settle?.reject(reason));
  }

  static async open(port: number): Promise<RedisConnection> {
    const connection = new RedisConnection(port);
    await once(connection.#socket, "connect");
    return connection;
  }

  /** Queues a command for `flush`. */
  queue(argv: readonly ByteString[]): void {
    this.#expected++;
    this.#queued += `*${argv.length}\r\n`;
    for (const argument of argv) this.#queued += `$${argument.length}\r\n${argument}\r\n`;
  }

  /** Sends the queued commands. @returns a reply per command */
  flush(): Promise<Reply[]> {
    if (this.#expected === 0) return Promise.resolve([]);
    if (this.#socket.destroyed) return Promise.reject(new Error("redis-server closed the connection"));
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.write(this.#queued, "latin1");
      this.#queued = "";
    });
  }

  /** Sends one command and waits for its reply. */
  async call(...argv: readonly ByteString[]): Promise<Reply> {
    this.queue(argv);
    return (await this.flush()).at(-1) as Reply;
  }

  [Symbol.dispose](): void {
    this.#settle = null;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#replies.push(...this.#reader.push(chunk));
    if (this.#replies.length < this.#expected) return;
    const replies = this.#replies;
    this.#replies = [];
    this.#expected = 0;
    this.#settle?.resolve(replies);
    this.#settle = null;
  }
}
