/**
 * A bare connection to a server for Redis clients, RESP2 until it sends HELLO 3. Commands are answered in order, and a
 * batch of queued commands is sent in one write.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type ByteString, bytesOfText, textOfBytes } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { ReplyReader } from "./reply-reader.js";

const READ_BYTES = 64 * 1024;

const CLOSED = "the server closed the connection";

/** A reply as a value, with texts in UTF-8. An error of the server is an `Error`. */
export type RedisValue = string | number | null | Error | readonly RedisValue[];

/** Commands that were sent together, and their replies so far. */
interface Batch {
  readonly expected: number;
  readonly replies: Reply[];
  resolve(replies: Reply[]): void;
  reject(reason: Error): void;
}

export class RedisConnection implements Disposable {
  readonly #socket: Socket;
  readonly #reader = new ReplyReader();
  #queued = "";
  /** The number of commands in `#queued`. */
  #queuedCount = 0;
  /** The batches without all their replies, the oldest first. */
  readonly #waiting: Batch[] = [];

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
    socket.on("close", () => this.#fail(new Error(CLOSED)));
    socket.on("error", (reason) => this.#fail(reason));
  }

  static async open(port: number): Promise<RedisConnection> {
    const connection = new RedisConnection(port);
    await once(connection.#socket, "connect");
    return connection;
  }

  /** Whether either side has closed the connection. */
  get closed(): boolean {
    return this.#socket.destroyed;
  }

  /** Queues a command for `flush`. */
  queue(argv: readonly ByteString[]): void {
    this.#queuedCount++;
    this.#queued += `*${argv.length}\r\n`;
    for (const argument of argv) this.#queued += `$${argument.length}\r\n${argument}\r\n`;
  }

  /** Sends the queued commands. @returns a reply per command */
  flush(): Promise<Reply[]> {
    const [bytes, expected] = [this.#queued, this.#queuedCount];
    this.#queued = "";
    this.#queuedCount = 0;
    if (expected === 0) return Promise.resolve([]);
    if (this.closed) return Promise.reject(new Error(CLOSED));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ expected, replies: [], resolve, reject });
      this.#socket.write(bytes, "latin1");
    });
  }

  /** Sends one command and waits for its reply. */
  async call(...argv: readonly ByteString[]): Promise<Reply> {
    this.queue(argv);
    return (await this.flush()).at(-1) as Reply;
  }

  /**
   * Sends one command, with texts in UTF-8.
   * @returns the answer, which may be an error of the server
   * @throws Error if the connection is closed
   */
  async value(...argv: readonly (string | number)[]): Promise<RedisValue> {
    return valueOfReply(await this.call(...argv.map((argument) => bytesOfText(String(argument)))));
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    for (const reply of this.#reader.push(chunk)) {
      const [batch] = this.#waiting;
      batch?.replies.push(reply);
      if (batch === undefined || batch.replies.length < batch.expected) continue;
      this.#waiting.shift();
      batch.resolve(batch.replies);
    }
  }

  #fail(reason: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
  }
}

/** Sends one command on a new connection. */
export async function askRedis(port: number, ...argv: readonly string[]): Promise<Reply> {
  using connection = await RedisConnection.open(port);
  return await connection.call(...argv);
}

/** Sends one command on a new connection. @returns the text of the reply, or the JSON of any other reply */
export async function textOf(port: number, ...argv: readonly string[]): Promise<string> {
  const reply = await askRedis(port, ...argv);
  return reply.kind === "bulk" ? reply.bytes : reply.kind === "status" ? reply.text : JSON.stringify(reply);
}

/** Returns the text of a value. */
export function textOfValue(value: RedisValue): string {
  if (value === null) return "nil";
  if (value instanceof Error) return value.message;
  return typeof value === "object" ? value.map(textOfValue).join(" ") : String(value);
}

function valueOfReply(reply: Reply): RedisValue {
  switch (reply.kind) {
    case "status":
      return textOfBytes(reply.text);
    case "error":
      return new Error(textOfBytes(reply.text));
    case "bulk":
    case "verbatim":
      return textOfBytes(reply.bytes);
    case "integer":
    case "double":
      return Number(reply.value);
    case "array":
    case "set":
    case "map":
    case "pairs":
      return reply.items.map(valueOfReply);
    default:
      return null;
  }
}
