/**
 * A bare connection to a server for Redis clients, RESP2 until it sends HELLO 3. Commands are answered in order, and a
 * batch of queued commands is sent in one write.
 */
import { type ByteString, bytesOfText, textOfBytes } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { BatchConnection } from "./batch-connection.js";
import { ReplyReader } from "./reply-reader.js";

/** A reply as a value, with texts in UTF-8. An error of the server is an `Error`. */
export type RedisValue = string | number | null | Error | readonly RedisValue[];

export class RedisConnection implements Disposable {
  readonly #connection: BatchConnection<Reply>;
  #queued = "";
  /** The number of commands in `#queued`. */
  #queuedCount = 0;

  private constructor(connection: BatchConnection<Reply>) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<RedisConnection> {
    return new RedisConnection(await BatchConnection.open(port, new ReplyReader()));
  }

  /** Whether either side has closed the connection. */
  get closed(): boolean {
    return this.#connection.closed;
  }

  /** Queues a command for `flush`. */
  queue(argv: readonly ByteString[]): void {
    this.#queuedCount++;
    this.#queued += `*${argv.length}\r\n`;
    for (const argument of argv) this.#queued += `$${argument.length}\r\n${argument}\r\n`;
  }

  /**
   * Sends the queued commands.
   * @param expected  the number of replies; by default one for each command
   * @returns the replies
   */
  flush(expected: number = this.#queuedCount): Promise<Reply[]> {
    const bytes = this.#queued;
    this.#queued = "";
    this.#queuedCount = 0;
    return this.#connection.send(bytes, expected);
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
    this.#connection[Symbol.dispose]();
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

/** Returns a reply as a value; null for nil and for kinds that have no value here. */
export function valueOfReply(reply: Reply): RedisValue {
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
