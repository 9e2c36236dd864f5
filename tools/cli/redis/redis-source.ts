/** A connection to the Redis from which an import reads. Commands are pipelined; replies arrive in the same order. */
import type { Socket } from "node:net";
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import type { PlainReply } from "../../../protocol/reply.js";
import { RequestClient } from "../../../protocol/request-client.js";
import { RespReplyStream } from "../../../protocol/resp/reply-stream.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { openSocket, setTimer } from "../shared/open-socket.js";
import type { RedisAddress } from "./redis-url.js";

/** Maximum length of a reply in bytes, somewhat more than Redis's limit for a string. */
const REPLY_BYTES_MAX = 600 * 1024 * 1024;

/** Thrown if the server answers a command with an error. */
export class RedisError extends Error {
  override readonly name = "RedisError";
}

export class RedisSource implements Disposable {
  readonly #client: RequestClient<PlainReply>;
  /** The server's address for messages, without the password. */
  readonly #name: string;

  private constructor(
    socket: Socket,
    name: string,
    silenceMs: number,
    onMessage: ((key: ByteString) => void) | null,
  ) {
    this.#name = name;
    this.#client = new RequestClient({
      socket,
      reader: new RespReplyStream(REPLY_BYTES_MAX),
      setTimer,
      answerMs: silenceMs,
      isSilence: true,
      hasMessages: onMessage !== null,
      handlesMessage(reply) {
        const [kind, , , message] = onMessage === null ? [] : bulksOf(reply);
        if (kind !== "pmessage") return false;
        onMessage?.(message ?? "");
        return true;
      },
    });
  }

  /**
   * Connects, logs in and selects the database.
   * @param silenceMs  milliseconds of silence after which a pending request fails
   * @param onMessage  receives each message after the connection has subscribed, or null for a connection without
   *   subscriptions
   * @throws Error  there is no server, or it rejects the login or the database
   */
  static async open(
    { server, db }: RedisAddress,
    silenceMs: number,
    onMessage: ((key: ByteString) => void) | null = null,
  ): Promise<RedisSource> {
    const name = `${server.host}:${server.port}`;
    const socket = await openSocket(server, silenceMs, "redis://").catch((problem: Error) => {
      throw new Error(`${name}: ${problem.message}`);
    });
    const source = new RedisSource(socket, name, silenceMs, onMessage);
    try {
      const { login } = server;
      // Redis before version 6 has no users.
      const user = login === null || login.user === "default" ? [] : [bytesOfText(login.user)];
      if (login !== null) await source.query(["AUTH", ...user, bytesOfText(login.password)]);
      await source.query(["SELECT", String(db)]);
      return source;
    } catch (problem) {
      source[Symbol.dispose]();
      if (problem instanceof RedisError && /^(NOAUTH|WRONGPASS|NOPERM|ERR.*AUTH)/.test(problem.message))
        throw new Error(`${name} rejects the login: ${problem.message}; write redis://user:password@${name}`);
      throw problem instanceof RedisError ? new Error(`${name}: ${problem.message}`) : problem;
    }
  }

  /**
   * Sends a command and returns its reply.
   * @throws RedisError  the reply is an error
   * @throws Error  the connection failed
   */
  async query(argv: readonly ByteString[]): Promise<PlainReply> {
    const reply = await this.#client.request(writeCommand(argv)).catch(({ message }: Error) => {
      throw new Error(`${this.#name}: ${message}`);
    });
    if (reply.kind === "error") throw new RedisError(textOfBytes(reply.text));
    return reply;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** Returns the strings of an array; for other replies an empty array. */
export function bulksOf(reply: PlainReply | undefined): ByteString[] {
  if (reply?.kind !== "array") return [];
  return reply.items.map(bytesIn);
}

/** Returns the bytes of a string or a number; for other replies "". */
export function bytesIn(reply: PlainReply): ByteString {
  switch (reply.kind) {
    case "bulk":
      return reply.bytes;
    case "status":
      return reply.text;
    case "integer":
      return String(reply.value);
    default:
      return "";
  }
}
